// Whoever proves nobody, counted by address: guesses at API keys and enrolment tokens, certificates that nobody registered. Each look for
// one costs the registry a query, which all accounts share; an address that asks too often is refused before anything is looked up.
// Whoever was seen with a good credential is let past, so that a neighbour's flood behind one address does not keep it out.
import type { Context } from "hono";
import type { Allowance } from "../durable-objects/rpc.ts";
import type { ErrorReason } from "../protocol/wire/errors.ts";
import { bounds } from "../schema/bounds.ts";
import type { App } from "./env.ts";
import { hashSecret } from "./identity/bearer.ts";
import { bearerOf, provesAdmin } from "./identity/secrets.ts";
import { sentCookie } from "./identity/sign-in.ts";
import { addressObject } from "./objects.ts";
import { problem } from "./problem.ts";
import { showAllowance } from "./rate-limit.ts";

/** Keys with an end (epoch milliseconds), as many as there may be: the oldest goes first. What is forgotten is asked for again. */
class Remembered<Value> {
  readonly #most: number;
  readonly #entries = new Map<string, { value: Value; until: number }>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  set(key: string, value: Value, until: number): void {
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= this.#most && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, { value, until });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** Of this one Worker: what each of them remembers is its own, and the address's object counts for all. */
const refused = new Remembered<Allowance>(bounds.addressesMax);
const known = new Remembered<true>(bounds.knownCredentialsMax);

/** Where a request comes from. What came without an address has one in common; nobody who comes by Cloudflare or the edge does. */
export const addressOf = (headers: Headers): string => networkOf(headers.get("CF-Connecting-IP") ?? "");

/** Whom an address stands for: an IPv4 address, or the /64 that one customer has of IPv6. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [left = [], right = []] = address.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  const groups = [...left, ...(address.includes("::") ? zeros : []), ...right];
  const network = groups.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}

/** What a request proves itself by, hashed: nothing that opens anything is kept. */
function credentialOf({ headers, cf }: Request): Promise<string> {
  const tls = typeof cf === "object" && cf !== null && "tlsClientAuth" in cf ? cf.tlsClientAuth : undefined;
  const certificate =
    typeof tls === "object" && tls !== null && "certFingerprintSHA256" in tls ? tls.certFingerprintSHA256 : "";
  const cookie = sentCookie(headers);
  const proof =
    headers.get("Authorization") ?? (cookie === undefined ? `certificate ${certificate}` : `cookie ${cookie}`);
  return hashSecret(proof);
}

/** Proving the operator asks nobody. */
async function isOperator(c: Context<App>): Promise<boolean> {
  const sent = bearerOf(c.req.raw.headers.get("Authorization") ?? "");
  return sent !== undefined && provesAdmin(c.env.ADMIN_TOKEN, sent);
}

const nothingLeft: Allowance = { admitted: false, limit: bounds.strangersBurst, remaining: 0, resetSeconds: 1 };

/** Counts a stranger. Where nobody can count, none is let in: whoever is known is not concerned. */
async function count(c: Context<App>, address: string): Promise<Allowance> {
  try {
    return await addressObject(c.env, address).admit();
  } catch (cause) {
    console.warn(JSON.stringify({ event: "strangers_uncounted", cause: String(cause) }));
    return nothingLeft;
  }
}

function tooMany(c: Context<App>, allowance: Allowance): Response {
  showAllowance(c, allowance);
  return problem(c, "too_many_requests", {}, { "Retry-After": "1" });
}

/**
 * Finds out who asks, unless too many strangers come from there.
 * @param find who it is, or why that is nobody
 * @returns who it is, or the refusal
 */
export async function recognized<Found extends object>(
  c: Context<App>,
  find: () => Promise<Found | ErrorReason>,
): Promise<{ found: Found } | { refusal: Response }> {
  const address = addressOf(c.req.raw.headers);
  const credential = await credentialOf(c.req.raw);
  const before = refused.get(address, Date.now());
  if (before !== undefined && !known.get(credential, Date.now()) && !(await isOperator(c))) {
    return { refusal: tooMany(c, before) };
  }
  const found = await find();
  if (typeof found !== "string") {
    known.set(credential, true, Date.now() + bounds.knownCredentialMs);
    return { found };
  }
  known.delete(credential);
  const allowance = await count(c, address);
  if (!allowance.admitted) {
    refused.set(address, allowance, Date.now() + bounds.refusedAddressMs);
    return { refusal: tooMany(c, allowance) };
  }
  showAllowance(c, allowance);
  return { refusal: problem(c, found) };
}
