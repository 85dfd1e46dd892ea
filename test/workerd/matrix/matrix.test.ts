// The authorization matrix: every operation × everybody who may ask, each cell asserted. A route without a row fails.
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { roles, scopes } from "../../../schema/permissions.ts";
import { createApp } from "../../../worker/app.ts";
import { signInCookie } from "../../../worker/identity/auth.ts";
import { givenCookie } from "../people/browser.ts";
import { elsewhere, origin, upgradeHeaders } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { type Row, rows } from "./rows.ts";
import { type Caller, makeCallers, makeWorld, type World } from "./world.ts";

// Rows that hash passwords do so for everybody who asks.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const names = Object.keys(rows);
let world: World;
let callers: Caller[];
let cells = 0;

beforeAll(async () => {
  world = await makeWorld();
  callers = await makeCallers(world);
});

async function ask(name: string, row: Row, caller: Caller): Promise<Response> {
  const { path, body } = await row.ask(world, caller);
  const method = name.split(" ")[0] ?? "";
  const headers = new Headers({ ...elsewhere(), ...(row.upgrade && upgradeHeaders) });
  if (caller.authorization !== undefined) headers.set("Authorization", caller.authorization);
  if (caller.cookie !== undefined) {
    headers.set("Cookie", `${signInCookie}=${caller.cookie}`);
    if (method !== "GET") headers.set("Origin", caller.page ?? origin);
  }
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const response = await exports.default.fetch(
    new Request(`${origin}${path}`, {
      method,
      headers,
      redirect: "manual",
      ...(body && { body: JSON.stringify(body) }),
      ...(caller.tls !== undefined && { cf: { tlsClientAuth: caller.tls } }),
    }),
  );
  // Whoever changes the password goes on by another cookie.
  const given = row.needs === "person" ? givenCookie(response.headers) : undefined;
  if (given !== undefined) caller.cookie = given;
  return response;
}

type Verdict = { may: true } | { may: false; reason: Parameters<typeof expectProblem>[1]; permission?: string };

/** What the table says of a cell. */
function verdict(name: string, row: Row, caller: Caller): Verdict {
  const no = (reason: Parameters<typeof expectProblem>[1], permission: string = row.needs): Verdict => ({
    may: false,
    reason,
    permission,
  });
  const asForeigner = (): Verdict => (caller.away && row.missing !== undefined ? no(row.missing) : { may: true });
  const byForeignPage = caller.page !== undefined && !name.startsWith("GET ");
  if (row.needs === "open") return byForeignPage && row.ownPages ? no("origin_refused") : { may: true };
  if (row.needs === "certificate") {
    if (!caller.agent) return no("certificate_required");
    return caller.never === undefined ? asForeigner() : no(caller.never);
  }
  if (byForeignPage) return no("origin_refused");
  if (caller.never !== undefined) return no(caller.never);
  const somebody = caller.agent || caller.authorization !== undefined || caller.cookie !== undefined;
  if (!somebody) return no("credentials_required");
  if (caller.cookie !== undefined && (row.needs === "person" || row.people)) return asForeigner();
  if (row.needs === "person") return no("permission_denied");
  // By then everybody who is signed in has made an account.
  if (row.needs === "enrolment") return caller.enrols ? { may: true } : no("permission_denied");
  if (caller.unplaced !== undefined) return no(caller.unplaced);
  if (caller.agent) return row.agents ? asForeigner() : no("permission_denied");
  if (!caller.has.has(row.needs)) return no("permission_denied");
  const beyond = row.gives && roles[row.gives].find((scope) => !caller.has.has(scope));
  return beyond === undefined ? asForeigner() : no("permission_denied", beyond);
}

async function expectCell(name: string, row: Row, caller: Caller): Promise<void> {
  const response = await ask(name, row, caller);
  const expected = verdict(name, row, caller);
  if (!expected.may) {
    const problem = await expectProblem(response, expected.reason);
    if (expected.reason === "permission_denied") expect(problem.permission).toBe(expected.permission);
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
              : row?.needs === "person"
                ? ["signIn"]
                : [
                    "apiKey",
                    ...(row?.agents ? ["clientCertificate"] : []),
                    ...(row?.people || scopes.some((scope) => scope === row?.needs) ? ["signIn"] : []),
                  ];
      expect([name, ...kinds]).toEqual([name, ...expected]);
      if (kinds.includes("apiKey") || kinds.includes("signIn"))
        expect([name, operation["x-permission"]]).toEqual([name, row?.needs]);
    }
  }
});

it("prints its size", () => {
  console.log(`authorization matrix: ${names.length} operations × ${callers.length} callers = ${cells} cells`);
  expect(cells).toBe(names.length * callers.length);
});
