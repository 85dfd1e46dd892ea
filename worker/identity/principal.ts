// Who asks over HTTP, and what that one may: by a bearer credential where one is sent, else by the cookie of a sign-in, else by the
// client certificate.
import { drizzle } from "drizzle-orm/d1";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { bounds } from "../../schema/bounds.ts";
import { AccountId, defaultAccount } from "../../schema/http.ts";
import { everyPermission, type Permission, type Role, roles } from "../../schema/permissions.ts";
import {
  type ApiKeyRecord,
  findApiKey,
  findEnrolmentToken,
  findMembership,
  touchApiKey,
} from "../../schema/registry.ts";
import { apiKeyForm, enrolmentTokenForm, hashSecret, type ReadCredential } from "./bearer.ts";
import { type Identity, identify } from "./identity.ts";
import { bearerOf, equalInConstantTime, provesAdmin } from "./secrets.ts";
import type { SignedIn } from "./sign-in.ts";

interface Anyone {
  /**
   * The account that is asked about: the principal's own; of the operator and of members, the one that they name. A person that asks
   * about no account has its actor here: what is kept by account is kept by person then.
   */
  account: string;
  /** For the audit log. */
  actor: string;
  permissions: ReadonlySet<Permission>;
}

/** An agent may what a route opens to agents, and that concerning itself: the route's part. */
export type AgentPrincipal = Anyone & { kind: "agent"; agent: string; fingerprint: string };
export type KeyPrincipal = Anyone & { kind: "key"; id: string };
export type OperatorPrincipal = Anyone & { kind: "operator" };
/** A machine that has nothing but a token: it may enrol as that agent, once, and nothing else. `used`: it has, and may ask for the answer again. */
export type EnrolmentPrincipal = Anyone & { kind: "enrolment"; id: string; agent: string; used: boolean };
/** A person that is signed in, in one of that one's accounts. */
export type MemberPrincipal = Anyone & { kind: "member"; signedIn: SignedIn; role: Role };
/** The same where no account is asked about: by routes that are about the person. */
export type PersonPrincipal = Anyone & { kind: "person"; signedIn: SignedIn };
export type Principal =
  | AgentPrincipal
  | KeyPrincipal
  | OperatorPrincipal
  | EnrolmentPrincipal
  | MemberPrincipal
  | PersonPrincipal;

/** What of a request tells who asks. */
export interface Asking {
  authorization: string | null;
  /** `request.cf`. */
  cf: unknown;
  /** `?account=`: the operator's choice, and that of people who are in several. */
  account: string | undefined;
  /** It asks to enrol: all that a used token is still good for. */
  enrols: boolean;
  /** Reads the cookie; undefined where none was sent. */
  signIn: (() => Promise<SignedIn | undefined>) | undefined;
  /** The route is about the person, and no account. */
  aboutPerson: boolean;
}

export interface Trust {
  db: D1Database;
  /** `ADMIN_TOKEN`; while it is not set there is no operator. */
  operatorToken: string | undefined;
  /** Epoch milliseconds. */
  now: number;
}

const none: ReadonlySet<Permission> = new Set();

const presentsCertificate = (cf: unknown): boolean => {
  const tls = typeof cf === "object" && cf !== null && "tlsClientAuth" in cf ? cf.tlsClientAuth : undefined;
  return typeof tls === "object" && tls !== null && "certPresented" in tls && tls.certPresented === "1";
};

/**
 * Who asks, or why that is nobody. One D1 query at most, three for a cookie, and none for a credential whose form is wrong. Where a
 * credential is sent it alone counts: a wrong one is not made good by a certificate.
 */
export async function authenticate(asking: Asking, trust: Trust): Promise<Principal | ErrorReason> {
  if (asking.authorization !== null) return byBearer(asking.authorization, asking, trust);
  if (asking.signIn !== undefined) {
    const signedIn = await asking.signIn();
    if (signedIn === undefined) return "sign_in_ended";
    return asking.aboutPerson ? personPrincipal(signedIn) : memberPrincipal(signedIn, asking.account, trust);
  }
  if (!presentsCertificate(asking.cf)) return "credentials_required";
  const identity = await identify(asking.cf, trust.db, trust.now);
  return typeof identity === "string" ? identity : agentPrincipal(identity);
}

const agentPrincipal = ({ account, agent, fingerprint }: Identity): AgentPrincipal => ({
  kind: "agent",
  account,
  agent,
  fingerprint,
  actor: `agent:${agent}`,
  permissions: none,
});

const actorOf = ({ person }: SignedIn) => `person:${person}`;

function personPrincipal(signedIn: SignedIn): PersonPrincipal {
  const actor = actorOf(signedIn);
  return { kind: "person", account: actor, actor, signedIn, permissions: none };
}

/** Of an account where the person is nothing, that one learns nothing: as of one that is not there. */
async function memberPrincipal(
  signedIn: SignedIn,
  named: string | undefined,
  { db }: Trust,
): Promise<MemberPrincipal | ErrorReason> {
  const wanted = named ?? signedIn.account;
  const found = wanted === undefined ? undefined : await findMembership(drizzle(db), signedIn.person, wanted);
  if (found === undefined) return named === undefined ? "account_required" : "account_not_found";
  const { account, role, status } = found;
  if (status !== "active") return "account_suspended";
  const permissions = new Set<Permission>(roles[role]);
  return { kind: "member", account, actor: actorOf(signedIn), signedIn, role, permissions };
}

async function byBearer(
  authorization: string,
  { account, enrols }: Asking,
  { db, operatorToken, now }: Trust,
): Promise<Principal | ErrorReason> {
  const sent = bearerOf(authorization);
  if (sent === undefined) return "credentials_invalid";
  const token = enrolmentTokenForm.read(sent);
  if (token !== undefined) return byEnrolmentToken(token, enrols, db, now);
  const key = apiKeyForm.read(sent);
  if (key !== undefined) {
    const d1 = drizzle(db);
    const [record, hash] = await Promise.all([findApiKey(d1, key.id), hashSecret(key.secret)]);
    const refusal = await judgeApiKey(record, hash, now);
    if (record === undefined || refusal !== undefined) return refusal ?? "credentials_invalid";
    if (isDue(record, now)) await touchApiKey(d1, key.id, now);
    const permissions = new Set<Permission>(record.scopes);
    return { kind: "key", id: key.id, account: record.account, actor: `key:${key.id}`, permissions };
  }
  if (!(await provesAdmin(operatorToken, sent))) return "credentials_invalid";
  const named = AccountId.safeParse(account ?? defaultAccount);
  if (!named.success) return "account_not_found";
  return { kind: "operator", account: named.data, actor: "operator", permissions: everyPermission };
}

/** Unknown, used and expired ones look alike: whoever guesses learns nothing. */
async function byEnrolmentToken(
  { id, secret }: ReadCredential,
  enrols: boolean,
  db: D1Database,
  now: number,
): Promise<EnrolmentPrincipal | ErrorReason> {
  const [record, hash] = await Promise.all([findEnrolmentToken(drizzle(db), id, now), hashSecret(secret)]);
  const proven = await equalInConstantTime(record?.secretHash ?? "", hash);
  if (record === undefined || !proven || !record.current || (record.used && !enrols)) return "enrolment_token_invalid";
  const { account, agent, used } = record;
  if (!record.accountActive) return "account_suspended";
  return { kind: "enrolment", id, account, agent, used, actor: `enrolment:${id}`, permissions: none };
}

const isDue = ({ lastUsedAt }: ApiKeyRecord, now: number) =>
  lastUsedAt === null || now - lastUsedAt >= bounds.lastUsedEveryMs;

/**
 * Why a key may not be used; undefined when it may. Who does not prove the secret learns nothing: an unknown id is compared
 * all the same, with a hash that nothing has.
 */
async function judgeApiKey(
  record: ApiKeyRecord | undefined,
  hash: string,
  now: number,
): Promise<ErrorReason | undefined> {
  const proven = await equalInConstantTime(record?.secretHash ?? "", hash);
  if (record === undefined || !proven) return "credentials_invalid";
  if (record.revokedAt !== null) return "api_key_revoked";
  if (record.expiresAt !== null && record.expiresAt <= now) return "api_key_expired";
  return record.accountStatus === "active" ? undefined : "account_suspended";
}
