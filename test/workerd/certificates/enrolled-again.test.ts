// An enrolment whose answer was lost: the same token and the same key get the same certificate again, and nobody else does.
import { exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { auditLog, certificates, enrolmentTokens } from "../../../schema/tables.ts";
import { administer, ask, certificateTime, db, newAgent, origin, tlsOf } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { newRequest } from "./requests.ts";

interface Enrolled {
  agent_id: string;
  fingerprint: string;
  certificate: string;
  not_before: string;
  not_after: string;
}

beforeAll(() => newAgent("first"));

let count = 0;

/** A token for an agent of its own. */
async function newToken(): Promise<{ agent: string; id: string; token: string }> {
  const agent = `again-${++count}`;
  await administer("POST", "/v1/agents", { agent_id: agent });
  const answer = await administer("POST", `/v1/agents/${agent}/enrolment-tokens`, {});
  return { agent, ...((await answer.json()) as { id: string; token: string }) };
}

const enrol = (token: string, csr: string): Promise<Response> =>
  exports.default.fetch(
    new Request(`${origin}/v1/enrolments`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ csr }),
    }),
  );

async function enrolled(token: string, csr: string): Promise<Enrolled> {
  const answer = await enrol(token, csr);
  expect(answer.status).toBe(201);
  return answer.json();
}

const certificatesOf = (agent: string) => db.select().from(certificates).where(eq(certificates.agentId, agent));
const change = (id: string, to: Partial<typeof enrolmentTokens.$inferInsert>) =>
  db.update(enrolmentTokens).set(to).where(eq(enrolmentTokens.id, id));

/** All that a stranger could tell a refusal by. */
async function seen(answer: Response): Promise<unknown> {
  const headers = [...answer.headers].filter(([name]) => !name.startsWith("ratelimit-"));
  return [answer.status, headers, await answer.text()];
}

it("gives the same answer again, to the byte, and certifies and logs once", async () => {
  const { agent, token } = await newToken();
  const { csr } = await newRequest();
  const [first, second] = [await enrol(token, csr), await enrol(token, csr)];
  expect([first.status, second.status]).toEqual([201, 201]);
  const texts = [await first.text(), await second.text()];
  expect(texts[1]).toBe(texts[0]);
  const one: Enrolled = JSON.parse(texts[0] ?? "");
  expect(await certificatesOf(agent)).toHaveLength(1);
  expect(await db.select().from(auditLog).where(eq(auditLog.target, one.fingerprint))).toHaveLength(1);
  const times = {
    certNotBefore: certificateTime(Date.parse(one.not_before)),
    certNotAfter: certificateTime(Date.parse(one.not_after)),
  };
  expect((await ask("/v1/agents", tlsOf(one.fingerprint, times))).status).toBe(200);
});

it("keeps the certificate, which is no secret, and neither the token nor a key", async () => {
  const { id, token } = await newToken();
  const { certificate } = await enrolled(token, (await newRequest()).csr);
  const [row] = await db.select().from(enrolmentTokens).where(eq(enrolmentTokens.id, id));
  expect(row?.certificate).toBe(certificate);
  expect(JSON.stringify(row)).not.toContain(token.slice(-43));
  expect(JSON.stringify(row)).not.toContain("PRIVATE");
});

it("gives all of those that come at once with one key one certificate", async () => {
  const { agent, token } = await newToken();
  const { csr } = await newRequest();
  const answers = await Promise.all(Array.from({ length: 8 }, () => enrolled(token, csr)));
  expect(new Set(answers.map(({ certificate }) => certificate)).size).toBe(1);
  expect(await certificatesOf(agent)).toHaveLength(1);
});

it("gives one of two keys that race a certificate, again and again, and the other none", async () => {
  const { agent, token } = await newToken();
  const requests = await Promise.all([newRequest(), newRequest()]);
  const round = () => Promise.all(requests.flatMap(({ csr }) => [enrol(token, csr), enrol(token, csr)]));
  const first = (await round()).map(({ status }) => status);
  expect(first.toSorted()).toEqual([201, 201, 401, 401]);
  expect(first[0]).toBe(first[1]);
  expect((await round()).map(({ status }) => status)).toEqual(first);
  expect(await certificatesOf(agent)).toHaveLength(1);
});

describe("is refused, as an unknown token is,", () => {
  type Setup = { agent: string; id: string; token: string; csr: string; one: Enrolled };
  const cases: [string, (setup: Setup) => Promise<[string, string]>][] = [
    ["for another key", async ({ token }) => [token, (await newRequest()).csr]],
    ["for no request at all", async ({ token }) => [token, "no request"]],
    // Whoever saw the request cannot make one: it is signed by the key.
    ["for a request that was changed", async ({ token, csr }) => [token, tampered(csr)]],
    ["for a guess of the secret", async ({ token, csr }) => [`${token.slice(0, -43)}${"A".repeat(43)}`, csr]],
    [
      "after its time",
      async ({ id, token, csr }) => {
        await change(id, { expiresAt: Date.now() - 1 });
        return [token, csr];
      },
    ],
    [
      "when the certificate was revoked",
      async ({ token, csr, one }) => {
        await administer("DELETE", `/v1/certificates/${one.fingerprint}`);
        return [token, csr];
      },
    ],
    [
      "when the agent was deleted, and when there is a new one of its name",
      async ({ agent, token, csr }) => {
        await administer("DELETE", `/v1/agents/${agent}`);
        await expectProblem(await enrol(token, csr), "enrolment_token_invalid");
        await administer("POST", "/v1/agents", { agent_id: agent });
        return [token, csr];
      },
    ],
    [
      "when it was used before certificates were kept",
      async ({ id, token, csr }) => {
        await change(id, { certificate: null, chain: null });
        return [token, csr];
      },
    ],
  ];
  it.each(cases)("%s", async (_, spoil) => {
    const { agent, id, token } = await newToken();
    const { csr } = await newRequest();
    const one = await enrolled(token, csr);
    const answer = await enrol(...(await spoil({ agent, id, token, csr, one })));
    const unknown = await enrol(`awe_${"a".repeat(16)}_${"A".repeat(43)}`, csr);
    expect(await seen(answer)).toEqual(await seen(unknown));
    expect(await certificatesOf(agent)).toHaveLength(1);
  });
});

it("opens nothing else once it is used: everywhere but there it is as good as unknown", async () => {
  const { token } = await newToken();
  await enrolled(token, (await newRequest()).csr);
  for (const path of ["/v1/agents", "/v1/account", "/v1/sessions"]) {
    await expectProblem(await administer("GET", path, undefined, token), "enrolment_token_invalid");
  }
});

/** The request with another byte in its public key's place. */
function tampered(csr: string): string {
  const [head = "", ...lines] = csr.trim().split("\n");
  const body = lines.slice(0, -1).join("");
  const at = Math.floor(body.length / 2);
  const other = body[at] === "A" ? "B" : "A";
  return [head, body.slice(0, at) + other + body.slice(at + 1), lines.at(-1)].join("\n");
}
