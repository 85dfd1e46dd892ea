// POST and GET /v1/agents/{agent_id}/certificates, enrolment tokens, and what revoking does to renewals.

import { exports } from "cloudflare:workers";
import { X509Certificate } from "@peculiar/x509";
import { desc, eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import type { CertificateEntry, CreatedEnrolmentToken, IssuedCertificate } from "../../../schema/http-certificates.ts";
import { accounts, auditLog, certificates, enrolmentTokens } from "../../../schema/tables.ts";
import { administer, ask, certificateTime, db, newAgent, origin, tlsOf, upgradeHeaders } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { newRequest } from "./requests.ts";

type Issued = z.infer<typeof IssuedCertificate>;

const dayMs = 24 * 60 * 60 * 1000;
const make = (agent: string) => administer("POST", "/v1/agents", { agent_id: agent });
/** Makes the agent, unless it is there. */
async function issue(agent: string, body: unknown): Promise<Response> {
  await make(agent);
  return administer("POST", `/v1/agents/${agent}/certificates`, body);
}
const tlsOfIssued = ({ fingerprint, not_before, not_after }: Issued) =>
  tlsOf(fingerprint, {
    certNotBefore: certificateTime(Date.parse(not_before)),
    certNotAfter: certificateTime(Date.parse(not_after)),
  });
const post = (body: unknown) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

async function issued(agent: string, days?: number): Promise<Issued> {
  const response = await issue(agent, { ...(days !== undefined && { days }), csr: (await newRequest()).csr });
  expect(response.status).toBe(201);
  return response.json();
}

async function renew(agent: string, present: Issued, more: { days?: number } = {}): Promise<Response> {
  const body = { csr: (await newRequest()).csr, ...more };
  return ask(`/v1/agents/${agent}/certificates`, tlsOfIssued(present), post(body));
}

// The account is made with its first agent.
beforeAll(() => newAgent("first"));

const latest = async (account = "local") => {
  const [entry] = await db
    .select()
    .from(auditLog)
    .where(eq(auditLog.accountId, account))
    .orderBy(desc(auditLog.id))
    .limit(1);
  return entry;
};

describe("POST /v1/agents/{agent_id}/certificates", () => {
  it("makes a certificate by which the agent is let in at once", async () => {
    const { csr, publicKey } = await newRequest({ subject: "CN=somebody else" });
    const response = await issue("issued", { csr });
    expect(response.status).toBe(201);
    const one: Issued = await response.json();
    expect(one).toMatchObject({
      account: "local",
      agent_id: "issued",
      subject: "O=local\nCN=issued",
      agents_url: "wss://agents.example",
      broker_ca: one.chain,
    });
    const certificate = new X509Certificate(one.certificate);
    expect(new Uint8Array(certificate.publicKey.rawData)).toEqual(publicKey);
    expect(Date.parse(one.not_after) - Date.now()).toBeGreaterThan(89.9 * dayMs);
    expect((await ask("/v1/agents", tlsOfIssued(one))).status).toBe(200);
    expect(await latest()).toMatchObject({
      actor: "operator",
      action: "certificate.issue",
      target: one.fingerprint,
      detail: { agent_id: "issued", not_after: Date.parse(one.not_after) },
    });
  });

  it("issues for as many days as are asked for", async () => {
    const { not_after } = await issued("brief", 2);
    expect(Math.round((Date.parse(not_after) - Date.now()) / dayMs)).toBe(2);
    const { csr } = await newRequest();
    for (const days of [0, 366, 1.5, "9"]) {
      const problem = await expectProblem(await issue("brief", { csr, days }), "invalid_request");
      expect(problem.issues).toEqual([{ path: "days", message: expect.any(String) }]);
    }
  });

  it("says what is wrong with a request, and registers nothing", async () => {
    const { csr } = await newRequest({ kind: "RSA 1024" });
    const problem = await expectProblem(await issue("weak", { csr }), "signing_request_refused");
    expect(problem.issues).toEqual([{ path: "csr", message: expect.stringContaining("too weak") }]);
    const long = await expectProblem(await issue("weak", { csr: "x".repeat(8193) }), "invalid_request");
    expect(long.issues?.[0]?.path).toBe("csr");
    expect(await db.select().from(certificates).where(eq(certificates.agentId, "weak"))).toEqual([]);
  });

  it("refuses a body beyond every bound before it reads it, whether or not its length is told", async () => {
    const huge = JSON.stringify({ csr: "x".repeat(300_000) });
    await expectProblem(await issue("huge", { csr: "x".repeat(300_000) }), "request_too_large");
    const chunks = new Blob([huge]).stream();
    const init = { ...post(undefined), body: chunks, headers: { Authorization: "Bearer test-admin-token" } };
    const request = new Request(`${origin}/v1/agents/huge/certificates`, init);
    await expectProblem(await exports.default.fetch(request), "request_too_large");
  });

  it("makes no agent: one that is not there, or was deleted, has no certificate", async () => {
    const body = { csr: (await newRequest()).csr };
    const path = "/v1/agents/nobody/certificates";
    await expectProblem(await administer("POST", path, body), "agent_not_found");
    await expectProblem(await administer("GET", path), "agent_not_found");
    await issued("gone");
    await administer("DELETE", "/v1/agents/gone");
    await expectProblem(await administer("POST", "/v1/agents/gone/certificates", body), "agent_not_found");
  });

  it("leaves a suspended agent suspended", async () => {
    await issued("held");
    await administer("PATCH", "/v1/agents/held", { status: "suspended" });
    await expectProblem(await ask("/v1/agents", tlsOfIssued(await issued("held"))), "agent_suspended");
  });

  it("has a bound for each agent, of those that are live", async () => {
    const first = await issued("many");
    for (let i = 1; i < 20; i++) await issued("many");
    const { csr } = await newRequest();
    await expectProblem(await issue("many", { csr }), "too_many_certificates");
    await administer("DELETE", `/v1/certificates/${first.fingerprint}`);
    expect((await issue("many", { csr })).status).toBe(201);
  });
});

describe("renewal", () => {
  it("is the agent's own, by its present certificate; both work from then on", async () => {
    const first = await issued("renewing");
    const response = await renew("renewing", first);
    expect(response.status).toBe(201);
    const second: Issued = await response.json();
    for (const one of [first, second]) expect((await ask("/v1/agents", tlsOfIssued(one))).status).toBe(200);
    expect(await latest()).toMatchObject({
      actor: "agent:renewing",
      action: "certificate.renew",
      target: second.fingerprint,
      detail: { renewed_from: first.fingerprint },
    });
  });

  it("is for nobody else, not in the same account either", async () => {
    const first = await issued("greedy");
    await issued("neighbour");
    await expectProblem(await renew("neighbour", first), "agent_not_found");
    await expectProblem(await ask("/v1/agents/neighbour/certificates", tlsOfIssued(first)), "agent_not_found");
  });

  it("makes no life longer than the one that somebody chose", async () => {
    const first = await issued("short", 3);
    const days = async (more: { days?: number }) => {
      const { not_after }: Issued = await (await renew("short", first, more)).json();
      return Math.round((Date.parse(not_after) - Date.now()) / dayMs);
    };
    expect([await days({}), await days({ days: 300 }), await days({ days: 1 })]).toEqual([3, 3, 1]);
  });

  it("ends with the certificate: not by one that is revoked, nor after what it led to is revoked with it", async () => {
    const first = await issued("stolen");
    const second: Issued = await (await renew("stolen", first)).json();
    const third: Issued = await (await renew("stolen", second)).json();
    const other = await issued("stolen");
    const revoked = await administer("DELETE", `/v1/certificates/${first.fingerprint}`);
    const body = (await revoked.json()) as { renewals: string[] };
    expect(body.renewals.sort()).toEqual([second.fingerprint, third.fingerprint].sort());
    for (const one of [first, second, third]) {
      await expectProblem(await renew("stolen", one), "certificate_revoked");
      await expectProblem(
        await ask("/v1/connect", tlsOfIssued(one), { headers: upgradeHeaders }),
        "certificate_revoked",
      );
    }
    expect((await ask("/v1/agents", tlsOfIssued(other))).status).toBe(200);
  });

  it("closes what the revoked ones opened, and leaves what another opened", async () => {
    const [old, fresh] = [await issued("moved"), await issued("moved")];
    const { webSocket: socket } = await ask("/v1/connect", tlsOfIssued(fresh), { headers: upgradeHeaders });
    const closed = new Promise<CloseEvent>((resolve) => socket?.addEventListener("close", resolve));
    socket?.accept();
    const revoke = async ({ fingerprint }: Issued) =>
      ((await (await administer("DELETE", `/v1/certificates/${fingerprint}`)).json()) as { closed: number }).closed;
    expect(await revoke(old)).toBe(0);
    expect(socket?.readyState).toBe(WebSocket.OPEN);
    expect(await revoke(fresh)).toBe(1);
    expect((await closed).code).toBe(4403);
  });

  it("does not register what was asked for before a revocation", async () => {
    const first = await issued("racing");
    const [answer] = await Promise.all([
      renew("racing", first),
      administer("DELETE", `/v1/certificates/${first.fingerprint}`),
    ]);
    const rows = await db.select().from(certificates).where(eq(certificates.agentId, "racing"));
    // Whichever came first, nothing active is left.
    expect(rows.filter(({ status }) => status === "active")).toEqual([]);
    if (answer.status !== 201) await expectProblem(answer, "certificate_revoked");
  });
});

describe("GET /v1/agents/{agent_id}/certificates", () => {
  it("pages through them, the newest first, with what became of each", async () => {
    const first = await issued("listed");
    const second: Issued = await (await renew("listed", first)).json();
    await newAgent("listed");
    await administer("DELETE", `/v1/certificates/${second.fingerprint}`);
    const all: z.infer<typeof CertificateEntry>[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const page = await administer("GET", `/v1/agents/listed/certificates?limit=1${next && `&cursor=${next}`}`);
      const body = (await page.json()) as { certificates: z.infer<typeof CertificateEntry>[]; next?: string };
      all.push(...body.certificates);
      next = body.next;
    }
    const by = (fingerprint: string) => all.find((one) => one.fingerprint === fingerprint);
    expect(all).toHaveLength(3);
    expect(by(first.fingerprint)).toMatchObject({ status: "active", issuer: "development", renewed_from: null });
    expect(by(second.fingerprint)).toMatchObject({ status: "revoked", renewed_from: first.fingerprint });
    expect(all.filter(({ issuer }) => issuer === null)).toHaveLength(1);
    const own = await ask("/v1/agents/listed/certificates", tlsOfIssued(first));
    expect(((await own.json()) as { certificates: unknown[] }).certificates).toHaveLength(3);
  });
});

describe("enrolment", () => {
  type Token = z.infer<typeof CreatedEnrolmentToken>;
  async function newToken(agent: string, body: object = {}): Promise<Token> {
    await make(agent);
    const response = await administer("POST", `/v1/agents/${agent}/enrolment-tokens`, body);
    expect(response.status).toBe(201);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    return response.json();
  }
  const enrol = async (token: string, csr?: string) => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const body = JSON.stringify({ csr: csr ?? (await newRequest()).csr });
    return exports.default.fetch(new Request(`${origin}/v1/enrolments`, { method: "POST", headers, body }));
  };

  it("trades a token for one certificate, once", async () => {
    const { token, id } = await newToken("enrolled");
    expect(token).toMatch(/^awe_[a-z2-7]{16}_[A-Za-z0-9_-]{43}$/);
    const response = await enrol(token);
    expect(response.status).toBe(201);
    const one: Issued = await response.json();
    expect(one).toMatchObject({ agent_id: "enrolled", account: "local" });
    expect((await ask("/v1/agents", tlsOfIssued(one))).status).toBe(200);
    expect(await latest()).toMatchObject({
      actor: `enrolment:${id}`,
      action: "certificate.enrol",
      target: one.fingerprint,
    });
    await expectProblem(await enrol(token), "enrolment_token_invalid");
  });

  it("is won by one of many that come at once", async () => {
    const { token } = await newToken("raced");
    const answers = await Promise.all(Array.from({ length: 8 }, () => enrol(token)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 201) await expectProblem(answer, "enrolment_token_invalid");
    expect(await db.select().from(certificates).where(eq(certificates.agentId, "raced"))).toHaveLength(1);
  });

  it("is not used up by a request that is refused", async () => {
    const { token } = await newToken("patient");
    await expectProblem(await enrol(token, "no request"), "signing_request_refused");
    expect((await enrol(token)).status).toBe(201);
  });

  it("does not tell a guess from a used or an expired one, and keeps no secret", async () => {
    const { token, id, expires_at } = await newToken("late", { expires_in_s: 60 });
    expect(Date.parse(expires_at) - Date.now()).toBeLessThanOrEqual(60_000);
    const [row] = await db.select().from(enrolmentTokens).where(eq(enrolmentTokens.id, id));
    expect(JSON.stringify(row)).not.toContain(token.slice(-43));
    const guess = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
    const unknown = token.replace(id, "a".repeat(16));
    await db
      .update(enrolmentTokens)
      .set({ expiresAt: Date.now() - 1 })
      .where(eq(enrolmentTokens.id, id));
    const answers = await Promise.all([guess, unknown, token].map((sent) => enrol(sent)));
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(bodies).size).toBe(1);
    expect(answers[0]?.headers.get("WWW-Authenticate")).toMatch(/^Bearer/);
  });

  it("opens nothing but enrolment, and enrolment opens to nothing else", async () => {
    const { token } = await newToken("narrow");
    const asking = new Request(`${origin}/v1/agents`, { headers: { Authorization: `Bearer ${token}` } });
    await expectProblem(await exports.default.fetch(asking), "permission_denied");
    await expectProblem(await enrol("test-admin-token"), "permission_denied");
    const one = await issued("narrow");
    const body = { csr: (await newRequest()).csr };
    await expectProblem(await ask("/v1/enrolments", tlsOfIssued(one), post(body)), "permission_denied");
    await expectProblem(await enrol("awe_short"), "credentials_invalid");
  });

  it("ends with its account, and has bounds", async () => {
    const { token } = await newToken("closing");
    await db.update(accounts).set({ status: "suspended" }).where(eq(accounts.id, "local"));
    try {
      await expectProblem(await enrol(token), "account_suspended");
    } finally {
      await db.update(accounts).set({ status: "active" }).where(eq(accounts.id, "local"));
    }
    for (const expires_in_s of [59, 86_401]) {
      const response = await administer("POST", "/v1/agents/closing/enrolment-tokens", { expires_in_s });
      await expectProblem(response, "invalid_request");
    }
    await expectProblem(await administer("POST", "/v1/agents/nobody/enrolment-tokens", {}), "agent_not_found");
  });

  it("ends with its agent, and is not for the next of that name", async () => {
    const { token } = await newToken("reborn");
    await administer("DELETE", "/v1/agents/reborn");
    await expectProblem(await enrol(token), "enrolment_token_invalid");
    await make("reborn");
    await expectProblem(await enrol(token), "enrolment_token_invalid");
    expect((await enrol((await newToken("reborn")).token)).status).toBe(201);
  });
});
