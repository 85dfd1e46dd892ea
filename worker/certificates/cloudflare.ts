// The issuer in production: Cloudflare's managed CA, by its client-certificate API. The names in such a certificate are those of
// the request (Cloudflare copies them): they stand for nobody. Who an agent is, the registry says, by the fingerprint.
import { z } from "zod";
import type { CertificateIssuer, Issued, NotIssued } from "./issuer.ts";

export interface CloudflareOptions {
  /** `https://api.cloudflare.com/client/v4`. */
  api: string;
  /** 32 hex digits: the zone of the agents' hostname. */
  zone: string;
  /** An API token with "SSL and Certificates: edit" for that zone. */
  token: string;
}

const Answer = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).catch([]),
  result: z.object({ id: z.string(), certificate: z.string(), status: z.string().nullish() }).nullish().catch(null),
});
type Answer = z.infer<typeof Answer>;

const revokedStatuses: ReadonlySet<string> = new Set(["pending_revocation", "revoked"]);
const dayMs = 24 * 60 * 60 * 1000;
const answerMsMax = 20_000;
const unavailable: NotIssued = { ok: false, reason: "issuer_unavailable" };

/** Logged for the operator, whose configuration or whose Cloudflare it is; nobody else is told. */
function note(call: string, status: number | undefined, errors: Answer["errors"], cause?: unknown): void {
  const failure = cause === undefined ? {} : { cause: String(cause) };
  console.error(JSON.stringify({ event: "issuer_failed", issuer: "cloudflare", call, status, errors, ...failure }));
}

export function cloudflareIssuer({ api, zone, token }: CloudflareOptions): CertificateIssuer {
  const collection = `${api.replace(/\/$/, "")}/zones/${encodeURIComponent(zone)}/client_certificates`;

  async function ask(
    call: string,
    url: string,
    init: RequestInit,
  ): Promise<{ status: number; answer: Answer } | undefined> {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    let status: number | undefined;
    try {
      const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(answerMsMax) });
      status = response.status;
      const answer = Answer.parse(await response.json());
      if (!answer.success) note(call, status, answer.errors);
      return { status, answer };
    } catch (cause) {
      note(call, status, [], cause);
      return undefined;
    }
  }

  return {
    name: "cloudflare",
    issue: async ({ request, lifeMs }): Promise<Issued | NotIssued> => {
      const body = JSON.stringify({ csr: request.pem, validity_days: Math.max(1, Math.ceil(lifeMs / dayMs)) });
      const asked = await ask("issue", collection, { method: "POST", body });
      if (asked === undefined) return unavailable;
      const { status, answer } = asked;
      if (status === 400) {
        const message = answer.errors.map((error) => error.message).join("; ");
        return { ok: false, reason: "signing_request_refused", message: `the CA refuses it: ${message}` };
      }
      if (!answer.success || !answer.result) return unavailable;
      const { id, certificate } = answer.result;
      return { ok: true, certificate, chain: "", reference: id };
    },
    revoke: async (reference) => {
      const url = `${collection}/${encodeURIComponent(reference)}`;
      const asked = await ask("revoke", url, { method: "DELETE" });
      if (asked === undefined || asked.answer.success) return asked !== undefined;
      // Perhaps somebody has, or an answer of before was lost.
      const found = await ask("look", url, { method: "GET" });
      return revokedStatuses.has(found?.answer.result?.status ?? "");
    },
  };
}
