// Nobody learns whether something is there that is not theirs: every operation with an id in its path answers for what is another
// account's, and for what is of agents beside the one who asks, byte for byte as for what is nowhere, and asks the registry as often.
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { scopes } from "../../../schema/permissions.ts";
import { Agent, plain } from "../objects/agents.ts";
import { Duo } from "../objects/duo.ts";
import {
  administer,
  freshFingerprint,
  newAgent,
  origin,
  somewhere,
  tlsOf,
  upgradeHeaders,
} from "../worker/fixtures.ts";
import { type Row, rows } from "./rows.ts";
import { away, home, makeWorld, type World } from "./world.ts";

/** How somebody comes who may ask that operation, and to whom none of it belongs. */
interface Asker {
  authorization?: string;
  tls?: unknown;
}

let world: World;
const askers: Record<"key elsewhere" | "agent elsewhere" | "agent beside", Asker> = {
  "key elsewhere": {},
  "agent elsewhere": {},
  "agent beside": {},
};
type Name = keyof typeof askers;

beforeAll(async () => {
  world = await makeWorld();
  const agentTls = async (account: string) => tlsOf((await newAgent("outsider", account)).fingerprint);
  askers["agent elsewhere"] = { tls: await agentTls(away) };
  askers["agent beside"] = { tls: await agentTls(home) };
  const made = await administer("POST", `/v1/api-keys?account=${away}`, { name: "all", scopes });
  const { key } = (await made.json()) as { key: string };
  askers["key elsewhere"] = { authorization: `Bearer ${key}` };
  // That a key is used is noted at its first request.
  expect((await administer("GET", "/v1/agents", undefined, key)).status).toBe(200);
});

/** An id of that kind which nothing has. */
const nowhere: Record<string, () => string> = {
  agent_id: () => `nobody-${crypto.randomUUID().slice(0, 8)}`,
  key_id: () => "z".repeat(16),
  person_id: () => "z".repeat(16),
  invitation_id: () => "z".repeat(16),
  session_id: () => crypto.randomUUID(),
  fingerprint: freshFingerprint,
};

/** The path with another id where the operation has its parameter. */
function elsewhere(operation: string, path: string): string {
  const template = operation.split(" ")[1]?.split("/") ?? [];
  const [bare = "", query] = path.split("?");
  const parts = bare.split("/").map((part, i) => {
    const name = /^\{(\w+)\}$/.exec(template[i] ?? "")?.[1];
    if (name === undefined) return part;
    const other = nowhere[name];
    if (other === undefined) throw new Error(`${operation}: say in this file what a ${name} is that is nowhere`);
    return other();
  });
  return query === undefined ? parts.join("/") : `${parts.join("/")}?${query}`;
}

async function ask(
  operation: string,
  row: Row,
  { path, body }: { path: string; body?: object },
  { authorization, tls }: Asker,
  more: Record<string, string> = {},
): Promise<Response> {
  const headers = new Headers({ ...somewhere(), ...(row.upgrade && upgradeHeaders), ...more });
  if (authorization !== undefined) headers.set("Authorization", authorization);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const method = operation.split(" ")[0] ?? "";
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  return exports.default.fetch(
    new Request(`${origin}${path}`, { ...init, ...(tls !== undefined && { cf: { tlsClientAuth: tls } }) }),
  );
}

/** All that can be seen of an answer, but for how many requests are left; and how often D1 was asked for it. */
async function seen(act: () => Promise<Response>): Promise<unknown> {
  const prepare = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare");
  try {
    const answer = await act();
    const body = await answer.text();
    const headers = [...answer.headers].filter(([name]) => !name.startsWith("ratelimit-"));
    return { status: answer.status, headers, body, queries: prepare.mock.calls.length };
  } finally {
    prepare.mockRestore();
  }
}

const withIds = Object.entries(rows).filter(([operation]) => operation.includes("{"));
/** What an agent may of its own account's others: they are no secret to it. */
const shared = new Set(["GET /v1/agents/{agent_id}"]);

function mayAsk(name: Name, operation: string, row: Row): boolean {
  if (name === "key elsewhere") return row.needs !== "certificate";
  if (name === "agent beside" && shared.has(operation)) return false;
  return row.needs === "certificate" || row.agents === true;
}

describe.each(withIds)("%s", (operation, row) => {
  const names = (Object.keys(askers) as Name[]).filter((name) => mayAsk(name, operation, row));

  it.each(names)("%s", async (name) => {
    const asker = askers[name];
    for (const round of [0, 1]) {
      const there = await row.ask(world, { name: "somebody", has: new Set() });
      const missing = { ...there, path: elsewhere(operation, there.path) };
      const [foreign, none] = [
        await seen(() => ask(operation, row, there, asker)),
        await seen(() => ask(operation, row, missing, asker)),
      ];
      expect({ round, ...(foreign as object) }).toEqual({ round, ...(none as object) });
      expect(foreign).toMatchObject({ status: 404 });
    }
  });

  it("says nothing by conditions and by repetitions either", async () => {
    const asker = askers[names[0] ?? "key elsewhere"];
    const there = await row.ask(world, { name: "somebody", has: new Set() });
    const missing = { ...there, path: elsewhere(operation, there.path) };
    for (const [header, value] of [
      ["If-Match", '"1"'],
      ["If-None-Match", "*"],
    ]) {
      const more = { [String(header)]: String(value) };
      expect(await seen(() => ask(operation, row, there, asker, more))).toEqual(
        await seen(() => ask(operation, row, missing, asker, more)),
      );
    }
    const key = () => ({ "Idempotency-Key": crypto.randomUUID() });
    expect(await seen(() => ask(operation, row, there, asker, key()))).toEqual(
      await seen(() => ask(operation, row, missing, asker, key())),
    );
  });
});

describe("an id in a body, or in the query, says no more", () => {
  it("redriving into a session that is another's, and into one that is nowhere", async () => {
    const own = rows["POST /v1/sessions/{session_id}/dead-letters/redrive"];
    if (own === undefined) throw new Error("no row");
    const [a, b] = [await Agent.registered(plain, "outsider-a"), await Agent.registered(plain, "outsider-b")];
    const path = `/v1/sessions/${world.ended}/dead-letters/redrive`;
    const asker = { tls: world.agent.tls };
    const into = (session_id: string) =>
      seen(() =>
        ask("POST /v1/sessions/{session_id}/dead-letters/redrive", own, { path, body: { session_id } }, asker),
      );
    const foreign = await into(await sessionOf(a, b));
    expect(foreign).toEqual(await into(crypto.randomUUID()));
    expect((foreign as { status: number }).status).toBeGreaterThanOrEqual(400);
  });

  it("an account that is there, and one that is not", async () => {
    const look = (account: string) =>
      seen(() =>
        ask(
          "GET /v1/agents",
          { needs: "agents:read", ok: 200, ask: () => ({ path: "" }) },
          { path: `/v1/agents?account=${account}` },
          askers["key elsewhere"],
        ),
      );
    expect(await look(home)).toEqual(await look("nowhere-at-all"));
  });
});

/** A live session between two others. */
async function sessionOf(a: Agent, b: Agent): Promise<string> {
  const duo = new Duo(a, b);
  await duo.begin();
  return duo.session_id;
}
