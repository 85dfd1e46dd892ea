// The document is true: whatever is asked, no answer but those that it describes, and never a failure. Requests are generated out
// of it: such as fit, and such as do not; asked by the operator, by an agent, by somebody who is signed in, and by nobody.
import { env, exports } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../../../schema/http.ts";
import { signInCookie } from "../../../worker/identity/auth.ts";
import { makeWorld } from "../matrix/world.ts";
import { Agent, plain } from "../objects/agents.ts";
import { type Browser, newMember } from "../people/browser.ts";
import { administer, newAgent, origin, somewhere } from "../worker/fixtures.ts";
import { checkOf, headersOf, type Operation, operations } from "./document.ts";
import { type Generated, type Known, requests } from "./requests.ts";

vi.setConfig({ testTimeout: 60_000 });
const runs = 40;

const known: Record<string, string[]> = {};
let tls: unknown;

beforeAll(async () => {
  const world = await makeWorld();
  tls = world.agent.tls;
  await Agent.registered(plain, "capable", [{ name: "count", version: "1.0.0" }]);
  const key = await (await administer("POST", "/v1/api-keys", { name: "known", scopes: ["agents:read"] })).json<{
    id: string;
  }>();
  known.session_id = [world.live, world.ended];
  known.agent_id = ["target"];
  known.key_id = [key.id];
  known.account = ["local"];
  for (const name of ["agent", "to"]) known[name] = ["target", "capable"];
  known["If-Match"] = ["*", '"1"'];
  known.fingerprint = [(await newAgent("with-certificate")).fingerprint];
});

// What one operation was given may be gone, or suspended, after another: it is there for each.
beforeEach(async () => {
  await administer("PATCH", "/v1/account", { status: "active" });
  await administer("POST", "/v1/agents", { agent_id: "target" });
});

/** Somebody who owns the account, and is signed in. */
let owner: Browser;
beforeAll(async () => {
  owner = await newMember("owner");
  const viewer = await newMember("viewer");
  known.person_id = [viewer.id];
});

const askers = {
  operator: { headers: { Authorization: `Bearer ${env.ADMIN_TOKEN}` } },
  agent: { headers: {} },
  person: { headers: { Origin: origin } },
  nobody: { headers: {} },
};
type Asker = keyof typeof askers;

function send({ method }: Operation, { path, body, type, ...sent }: Generated, asker: Asker): Promise<Response> {
  const headers = new Headers({ ...sent.headers, ...askers[asker].headers, ...somewhere() });
  if (body !== undefined) headers.set("Content-Type", type);
  if (asker === "person") headers.set("Cookie", `${signInCookie}=${owner.cookie}`);
  return exports.default.fetch(
    new Request(`${origin}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...(asker === "agent" && { cf: { tlsClientAuth: tls } }),
    }),
  );
}

const ours = /^(etag|ratelimit-.*|retry-after|idempotency-replayed|www-authenticate)$/;

/** So are its headers: those that the document has for it, and no others of those that mean something. */
function expectDescribedHeaders(operation: Operation, { status, headers }: Response, said: string): void {
  const described = headersOf(operation, status);
  for (const [name, value] of headers) {
    if (!ours.test(name)) continue;
    const schema = described[name];
    expect(schema, `${said}: ${name} is not in the document`).toBeDefined();
    if (schema?.type === "integer") expect(value, said).toMatch(/^\d+$/);
    if (schema?.const !== undefined) expect(value, said).toBe(schema.const);
  }
}

/** Refusals that say when to ask again. */
const waits = new Set(["too_many_requests", "too_many_attempts", "issuer_unavailable"]);

/** The answer is one that the document has. */
async function expectDescribed(operation: Operation, request: Generated, asker: Asker): Promise<number> {
  const response = await send(operation, request, asker);
  const { status } = response;
  const text = await response.text();
  const said = `${operation.method} ${request.path} ${request.body ?? ""} → ${status} ${text.slice(0, 500)}`;
  expect(status, said).toBeLessThan(500);
  const type = response.headers.get("Content-Type")?.split(";")[0] ?? "";
  expect(type, said).toBe(status < 400 ? "application/json" : "application/problem+json");
  const check = checkOf(operation, status, type);
  expect(check, `${said} is not in the document`).toBeDefined();
  const answer: unknown = JSON.parse(text);
  expect(check?.safeParse(answer).error?.issues ?? [], said).toEqual([]);
  if (status >= 400) {
    const { reason } = Problem.parse(answer);
    expect(operation.responses[status]?.["x-reasons"], said).toContain(reason);
    expect(response.headers.has("Retry-After"), said).toBe(waits.has(reason));
  }
  expectDescribedHeaders(operation, response, said);
  // Under its key it is answered the same again, unless it was refused before that key was looked for.
  if (request.headers["Idempotency-Key"] !== undefined && status < 300) {
    const again = await send(operation, request, asker);
    expect([again.status, await again.text(), again.headers.get("Idempotency-Replayed")], said).toEqual([
      status,
      text,
      "true",
    ]);
    expectDescribedHeaders(operation, again, said);
  }
  return status;
}

/** The upgrades answer over sockets, and a link by leading on: they have tests of their own. */
const overHttp = operations.filter(({ path }) => path !== "/v1/connect" && path !== "/v1/auth/link");

describe.each(overHttp.map((operation) => [operation.name, operation] as const))("%s", (_, operation) => {
  const byWhom: Asker[] = operation.schemes.includes("clientCertificate")
    ? ["operator", "agent"]
    : operation.schemes.includes("apiKey")
      ? ["operator"]
      : operation.schemes.includes("signIn")
        ? ["person"]
        : ["nobody"];

  it("answers what fits as the document says", async () => {
    const statuses = new Set<number>();
    for (const asker of byWhom) {
      await fc.assert(
        fc.asyncProperty(requests(operation, known satisfies Known, false), async (request) => {
          statuses.add(await expectDescribed(operation, request, asker));
        }),
        { numRuns: runs },
      );
    }
    // It was not refusals alone: else nothing was seen of what it answers.
    if (!neverFits.has(operation.name)) expect(Math.min(...statuses)).toBeLessThan(300);
  });

  it("answers what does not fit as the document says", async () => {
    for (const asker of [...byWhom, "nobody" as const]) {
      await fc.assert(
        fc.asyncProperty(requests(operation, known, true), async (request) => {
          await expectDescribed(operation, request, asker);
        }),
        { numRuns: runs },
      );
    }
  });
});

describe("what every operation says of itself", () => {
  const namesOf = (parameters: { name: string }[]) => parameters.map(({ name }) => name);
  const ok = ({ responses }: Operation) => Object.keys(responses).filter((status) => Number(status) < 300);

  it.each(operations.map((one) => [one.name, one] as const))("%s", (_, operation) => {
    const { method, schemes, inQuery, inHeader, responses } = operation;
    expect(responses.default).toBeUndefined();
    for (const [status, { content }] of Object.entries(responses)) {
      if (Number(status) >= 400) expect(Object.keys(content ?? {})).toEqual(["application/problem+json"]);
    }
    const guarded = ["apiKey", "enrolmentToken", "signIn"].some((scheme) => schemes.includes(scheme));
    expect(namesOf(inQuery).includes("account")).toBe(schemes.includes("apiKey"));
    expect(namesOf(inHeader).includes("Idempotency-Key")).toBe(guarded && method === "POST");
    expect(namesOf(inHeader).includes("If-Match")).toBe(responses[412] !== undefined);
    if (guarded) expect(responses[401]).toBeDefined();
    const limits = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    for (const status of ok(operation)) {
      const headers = Object.keys(headersOf(operation, Number(status)));
      expect(headers).toEqual(guarded ? expect.arrayContaining(limits) : []);
      if (guarded && method === "POST") expect(headers).toContain("idempotency-replayed");
      if (responses[412]) expect(headers).toContain("etag");
    }
    if (guarded)
      expect(Object.keys(headersOf(operation, 429))).toEqual(expect.arrayContaining([...limits, "retry-after"]));
  });
});

/** What no dice can make: a certificate, or a request for one; an enrolment token; another session of the same two. */
const neverFits = new Set([
  "POST /v1/certificates",
  "POST /v1/agents/{agent_id}/certificates",
  "POST /v1/enrolments",
  "POST /v1/sessions/{session_id}/dead-letters/redrive",
  // Nor a secret, nor what somebody else chose.
  "GET /v1/auth/invitation",
  "PATCH /v1/person",
  "POST /v1/auth/sign-in",
  "POST /v1/invitations/accept",
  "POST /v1/person/password",
  "POST /v1/sign-in-links",
  "DELETE /v1/invitations/{invitation_id}",
]);
