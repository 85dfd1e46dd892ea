// Issuing certificates: for whoever may write them, and for an agent that renews its own while it is valid.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import { AgentId } from "../../protocol/wire/ids.ts";
import { bounds } from "../../schema/bounds.ts";
import {
  type CertificateEntry,
  CertificatePage,
  IssueCertificate,
  IssuedCertificate,
  ListCertificatesQuery,
} from "../../schema/http-certificates.ts";
import {
  agentExists,
  type CertificateClaim,
  type CertificateListing,
  countLiveCertificates,
  findCertificate,
  findEnrolled,
  type IssuerRevocation,
  listCertificates,
  noteIssuerRevocation,
  registerIssued,
} from "../../schema/registry.ts";
import { judgeSigningRequest } from "../../x509/signing-request.ts";
import { certify, isForKeyOf } from "../certificates/certify.ts";
import { configuredIssuer } from "../certificates/configured-issuer.ts";
import { tellIssuer } from "../certificates/revocations.ts";
import type { App } from "../env.ts";
import { authorOf } from "../identity/middleware.ts";
import { type CertificateContent, readCertificate } from "../identity/pem.ts";
import type { Principal } from "../identity/principal.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { readTimeCursor, time, timeOrNull } from "./times.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** What `answerWithCertificate` refuses by, beside what every route does. */
export const issuingRefusals = [
  "agent_not_found",
  "signing_request_refused",
  "issuer_missing",
  "issuer_unavailable",
  "too_many_certificates",
] as const;

const issue = guardedRoute({
  method: "post",
  path: "/v1/agents/{agent_id}/certificates",
  description:
    "Issues and registers a certificate for the key of a signing request. An agent may, for itself, by its present certificate: that is a renewal, and both work from then on.",
  access: { permission: "certificates:write", agents: true },
  request: {
    params: z.object({ agent_id: AgentId }),
    body: body(IssueCertificate),
  },
  refuses: issuingRefusals,
  responses: { 201: json(IssuedCertificate, "the certificate") },
});

const list = guardedRoute({
  method: "get",
  path: "/v1/agents/{agent_id}/certificates",
  description: "The certificates of an agent, the newest first; those that expired or were revoked too.",
  access: { permission: "certificates:read", agents: true },
  request: { params: z.object({ agent_id: AgentId }), query: ListCertificatesQuery },
  refuses: ["agent_not_found"],
  responses: { 200: json(CertificatePage, "one page of certificates") },
});

/** What is asked for, by whom. */
interface Order {
  csr: string;
  agent: string;
  claim: CertificateClaim;
  lifeMs: number;
}

/** Another agent's certificates are nothing that an agent is told of. */
const concernsOther = (principal: Principal, agent: string): boolean =>
  principal.kind === "agent" && principal.agent !== agent;

/** Has a certificate signed, registers it, and answers with it. */
export async function answerWithCertificate(c: Context<App>, { csr, agent, claim, lifeMs }: Order) {
  const { account } = c.var.principal;
  const author = authorOf(c);
  const db = drizzle(c.env.DB);
  const live = await countLiveCertificates(db, account, agent, author.at);
  if (live === undefined) return problem(c, "agent_not_found");
  if (live >= bounds.certificatesPerAgentMax) return problem(c, "too_many_certificates");
  const issuer = configuredIssuer(c.env);
  const made = await certify(issuer, { csr, account, agent, now: author.at, lifeMs });
  if (!made.ok) {
    if (issuer && made.abandoned) {
      await abandon(c, {
        reference: made.abandoned,
        issuer: issuer.name,
        fingerprint: null,
        notAfter: author.at + lifeMs,
      });
    }
    const issues = made.message ? { issues: [{ path: "csr", message: made.message }] } : {};
    // What the CA signed meanwhile is lost: nobody is to ask for another at once.
    const later = made.reason === "issuer_unavailable" ? { "Retry-After": "60" } : {};
    return problem(c, made.reason, issues, { ...later });
  }
  const { certificate, chain, content, reference } = made;
  const record = { account, agent, issuer: made.issuer, reference, certificate, chain, ...content };
  if (!(await registerIssued(db, record, claim, author))) {
    const { fingerprint, notAfter } = content;
    if (reference !== null) await abandon(c, { reference, issuer: made.issuer, fingerprint, notAfter });
    // Of two that came at once with one token and one key, both get what the first one got.
    return claim.by === "enrolment" ? answerAgain(c, { csr, agent, token: claim.token }) : problem(c, lapsed[claim.by]);
  }
  return c.json(issuedAnswer(c, agent, content, { certificate, chain }), 201);
}

/** Nobody knows that certificate, so it opens nothing; it must not stay good in its issuer's book either. */
async function abandon(c: Context<App>, one: IssuerRevocation): Promise<void> {
  await noteIssuerRevocation(drizzle(c.env.DB), one, Date.now());
  c.executionCtx.waitUntil(tellIssuer(c.env));
}

/** PEM. */
type Signed = { certificate: string; chain: string };

function issuedAnswer(
  c: Context<App>,
  agent: string,
  { notBefore, notAfter, ...facts }: CertificateContent,
  signed: Signed,
): z.infer<typeof IssuedCertificate> {
  return {
    account: c.var.principal.account,
    agent_id: agent,
    ...facts,
    not_before: time(notBefore),
    not_after: time(notAfter),
    ...signed,
    broker_ca: c.env.CA_CERTIFICATE ?? null,
    agents_url: c.env.AGENTS_URL ?? null,
  };
}

/**
 * The certificate that a token was traded for, once more: an answer may be lost. Only for the same key, whose owner signs the request,
 * and while the certificate is good; to everybody else the token is as good as unknown.
 */
export async function answerAgain(
  c: Context<App>,
  { csr, agent, token }: { csr: string; agent: string; token: string },
) {
  const { account } = c.var.principal;
  const db = drizzle(c.env.DB);
  const [signed, judged] = await Promise.all([findEnrolled(db, account, token), judgeSigningRequest(csr)]);
  if (signed === undefined || !judged.ok || !isForKeyOf(judged.request, signed.certificate)) {
    return problem(c, "enrolment_token_invalid");
  }
  const content = readCertificate(signed.certificate);
  const known = content && (await findCertificate(db, account, content.fingerprint));
  if (content === undefined || known?.status !== "active") return problem(c, "enrolment_token_invalid");
  return c.json(issuedAnswer(c, agent, content, signed), 201);
}

/** Why a claim did not hold any more when the certificate was there. */
const lapsed = {
  permission: "agent_not_found",
  renewal: "certificate_revoked",
} as const satisfies Partial<Record<CertificateClaim["by"], string>>;

function shown(certificate: CertificateListing, now: number): z.infer<typeof CertificateEntry> {
  const { fingerprint, serial, subject, status, issuer, notAfter } = certificate;
  return {
    fingerprint,
    serial,
    subject,
    status: status === "active" && notAfter < now ? "expired" : status,
    issuer,
    renewed_from: certificate.renewedFrom,
    not_before: time(certificate.notBefore),
    not_after: time(notAfter),
    created_at: time(certificate.createdAt),
    revoked_at: timeOrNull(certificate.revokedAt),
    issuer_pending: certificate.issuerPending,
  };
}

export function issuingRoutes(app: OpenAPIHono<App>): void {
  app.openapi(issue, async (c) => {
    const { principal } = c.var;
    const { agent_id: agent } = c.req.valid("param");
    const { csr, days } = c.req.valid("json");
    if (concernsOther(principal, agent)) return problem(c, "agent_not_found");
    if (principal.kind !== "agent") {
      const lifeMs = (days ?? bounds.certificateDaysDefault) * dayMs;
      return answerWithCertificate(c, { csr, agent, claim: { by: "permission" }, lifeMs });
    }
    const present = await findCertificate(drizzle(c.env.DB), principal.account, principal.fingerprint);
    if (present === undefined) return problem(c, "certificate_unknown");
    // From when we knew it: the life that somebody chose for it is not made longer by its owner.
    const lifeMs = Math.min((days ?? bounds.certificateDaysMax) * dayMs, present.notAfter - present.createdAt);
    return answerWithCertificate(c, { csr, agent, claim: { by: "renewal", from: present.fingerprint }, lifeMs });
  });

  app.openapi(list, async (c) => {
    const { principal } = c.var;
    const { agent_id: agent } = c.req.valid("param");
    const { limit, cursor } = c.req.valid("query");
    if (concernsOther(principal, agent)) return problem(c, "agent_not_found");
    const at = readTimeCursor(cursor);
    const place = at && { createdAt: at.at, fingerprint: at.id };
    const db = drizzle(c.env.DB);
    if (!(await agentExists(db, principal.account, agent))) return problem(c, "agent_not_found");
    const page = await listCertificates(db, principal.account, agent, { limit, cursor: place });
    const last = page.certificates.at(-1);
    const now = Date.now();
    const next = page.more && last !== undefined ? { next: `${last.createdAt}.${last.fingerprint}` } : {};
    return c.json({ certificates: page.certificates.map((one) => shown(one, now)), ...next }, 200);
  });
}
