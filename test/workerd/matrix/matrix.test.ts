// The authorization matrix: every operation × everybody who may ask, each cell asserted. A route without a row fails.
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../../worker/app.ts";
import { origin, somewhere, upgradeHeaders } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { type Row, rows } from "./rows.ts";
import { type Caller, makeCallers, makeWorld, type World } from "./world.ts";

const names = Object.keys(rows);
let world: World;
let callers: Caller[];
let cells = 0;

beforeAll(async () => {
  world = await makeWorld();
  callers = await makeCallers(world);
});

async function ask(name: string, row: Row, caller: Caller): Promise<Response> {
  const { path, body } = await row.ask(world);
  const headers = new Headers({ ...somewhere(), ...(row.upgrade && upgradeHeaders) });
  if (caller.authorization !== undefined) headers.set("Authorization", caller.authorization);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  return exports.default.fetch(
    new Request(`${origin}${path}`, {
      method: name.split(" ")[0] ?? "",
      headers,
      ...(body && { body: JSON.stringify(body) }),
      ...(caller.tls !== undefined && { cf: { tlsClientAuth: caller.tls } }),
    }),
  );
}

type Verdict = { may: true } | { may: false; reason: Parameters<typeof expectProblem>[1] };

/** What the table says of a cell. */
function verdict(row: Row, caller: Caller): Verdict {
  const no = (reason: Parameters<typeof expectProblem>[1]): Verdict => ({ may: false, reason });
  const asForeigner = (): Verdict => (caller.away && row.missing !== undefined ? no(row.missing) : { may: true });
  if (row.needs === "open") return { may: true };
  if (row.needs === "certificate") {
    if (!caller.agent) return no("certificate_required");
    return caller.never === undefined ? asForeigner() : no(caller.never);
  }
  if (caller.never !== undefined) return no(caller.never);
  if (row.needs === "enrolment") {
    if (caller.enrols) return { may: true };
    return no(caller.agent || caller.authorization !== undefined ? "permission_denied" : "credentials_required");
  }
  if (caller.agent) return row.agents ? asForeigner() : no("permission_denied");
  if (caller.authorization === undefined) return no("credentials_required");
  return caller.has.has(row.needs) ? asForeigner() : no("permission_denied");
}

async function expectCell(name: string, row: Row, caller: Caller): Promise<void> {
  const response = await ask(name, row, caller);
  const expected = verdict(row, caller);
  if (!expected.may) {
    const problem = await expectProblem(response, expected.reason);
    if (expected.reason === "permission_denied") expect(problem.permission).toBe(row.needs);
    expect(JSON.stringify(problem)).not.toContain(world.agent.name);
    return;
  }
  expect(response.status).toBe(row.ok);
  if (response.webSocket) {
    response.webSocket.accept();
    response.webSocket.close(1000);
  } else if (caller.away) expect(await response.text()).not.toContain(world.agent.name);
}

describe.each(names)("%s", (name) => {
  it("lets those pass who may, and tells everybody else why not", async () => {
    const row = rows[name];
    if (row === undefined) throw new Error(name);
    for (const caller of callers) {
      await expectCell(name, row, caller).catch((cause: unknown) => {
        throw new Error(`${name} × ${caller.name}: ${String(cause)}`, { cause });
      });
      cells++;
    }
  });
});

it("has a row for every route, and the document says the same of each", async () => {
  const app = createApp();
  const routed = app.routes
    .filter(({ method, handler }) => method !== "ALL" && handler.length < 2)
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  const rowed = names.map((name) => name.replace(" with Upgrade", ""));
  expect([...new Set(routed)].sort()).toEqual([...new Set(rowed)].sort());

  const document = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path}`;
      const { security = [] } = operation as { security?: object[] };
      const row = rows[name];
      const kinds = security.flatMap((kind) => Object.keys(kind)).sort();
      const expected =
        row?.needs === "open"
          ? []
          : row?.needs === "certificate"
            ? ["clientCertificate"]
            : row?.needs === "enrolment"
              ? ["enrolmentToken"]
              : ["apiKey", ...(row?.agents ? ["clientCertificate"] : [])];
      expect([name, ...kinds]).toEqual([name, ...expected]);
      if (kinds.includes("apiKey")) expect([name, operation["x-permission"]]).toEqual([name, row?.needs]);
    }
  }
});

it("prints its size", () => {
  console.log(`authorization matrix: ${names.length} operations × ${callers.length} callers = ${cells} cells`);
  expect(cells).toBe(names.length * callers.length);
});
