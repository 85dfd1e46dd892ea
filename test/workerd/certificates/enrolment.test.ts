// Enrolment tokens: each is traded once, for one agent's certificate.
import { exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import type { CreatedEnrolmentToken } from "../../../schema/http-certificates.ts";
import { accounts, certificates, enrolmentTokens } from "../../../schema/tables.ts";
import { administer, ask, db, newAgent, origin } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { type Issued, issued, latest, make, post, tlsOfIssued } from "./issued.ts";
import { newRequest } from "./requests.ts";

// The account is made with its first agent.
beforeAll(() => newAgent("first"));

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
