// POST and GET /v1/agents/{agent_id}/certificates.
import { exports } from "cloudflare:workers";
import { X509Certificate } from "@peculiar/x509";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import type { CertificateEntry } from "../../../schema/http-certificates.ts";
import { certificates } from "../../../schema/tables.ts";
import { administer, ask, db, newAgent, origin } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { dayMs, type Issued, issue, issued, latest, post, renew, tlsOfIssued } from "./issued.ts";
import { newRequest } from "./requests.ts";

// The account is made with its first agent.
beforeAll(() => newAgent("first"));

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
