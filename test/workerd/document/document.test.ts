// The document is true: whatever is asked, no answer but those that it describes, and never a failure. Requests are generated out
// of it: such as fit, and such as do not; asked by the operator, by an agent, and by nobody.
import { env, exports } from "cloudflare:workers";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { makeWorld } from "../matrix/world.ts";
import { administer, newAgent, origin } from "../worker/fixtures.ts";
import { checkOf, type Operation, operations } from "./document.ts";
import { type Generated, type Known, requests } from "./requests.ts";

vi.setConfig({ testTimeout: 60_000 });
const runs = 40;

const known: Record<string, string[]> = {};
let tls: unknown;

beforeAll(async () => {
  const world = await makeWorld();
  tls = world.agent.tls;
  const key = await (await administer("POST", "/v1/api-keys", { name: "known", scopes: ["agents:read"] })).json<{
    id: string;
  }>();
  known.session_id = [world.live, world.ended];
  known.agent_id = ["target"];
  known.key_id = [key.id];
  known.fingerprint = [(await newAgent("with-certificate")).fingerprint];
});

// What one operation was given may be gone, or suspended, after another: it is there for each.
beforeEach(async () => {
  await administer("PATCH", "/v1/account", { status: "active" });
  await administer("POST", "/v1/agents", { agent_id: "target" });
});

const askers = {
  operator: { headers: { Authorization: `Bearer ${env.ADMIN_TOKEN}` } },
  agent: { headers: {} },
  nobody: { headers: {} },
};
type Asker = keyof typeof askers;

function send({ method }: Operation, { path, body, type }: Generated, asker: Asker): Promise<Response> {
  const headers = new Headers(askers[asker].headers);
  if (body !== undefined) headers.set("Content-Type", type);
  return exports.default.fetch(
    new Request(`${origin}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...(asker === "agent" && { cf: { tlsClientAuth: tls } }),
    }),
  );
}

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
  const judged = check?.safeParse(JSON.parse(text));
  expect(judged?.error?.issues ?? [], said).toEqual([]);
  return status;
}

/** The upgrades answer over sockets: they have tests of their own. */
const overHttp = operations.filter(({ path }) => path !== "/v1/connect");

describe.each(overHttp.map((operation) => [operation.name, operation] as const))("%s", (_, operation) => {
  const byWhom: Asker[] = operation.schemes.includes("clientCertificate")
    ? ["operator", "agent"]
    : operation.schemes.includes("apiKey")
      ? ["operator"]
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

/** What no dice can make: a certificate, or a request for one; an enrolment token; another session of the same two. */
const neverFits = new Set([
  "POST /v1/certificates",
  "POST /v1/agents/{agent_id}/certificates",
  "POST /v1/enrolments",
  "POST /v1/sessions/{session_id}/dead-letters/redrive",
]);
