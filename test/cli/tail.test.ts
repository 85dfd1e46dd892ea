// `sessions tail` beside a broker that comes and goes.
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contextOf } from "../../sdk/typescript/src/cli/command.ts";
import { Output } from "../../sdk/typescript/src/cli/output.ts";
import { sessionCommands } from "../../sdk/typescript/src/cli/sessions.ts";
import { type Agent, connect } from "../../sdk/typescript/src/index.ts";
import { until } from "../e2e/edge-fixtures.ts";
import { Terminal } from "./terminal.ts";

/** The command as somebody at a terminal sees it. */
function tailAt(terminal: Terminal) {
  const said = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    isTTY: true,
    write: (text: string) => {
      said[name] += text;
    },
  });
  const abort = new AbortController();
  const context = contextOf({
    flags: { state: join(terminal.dir, ".agentworks") },
    args: [],
    output: new Output({ out: stream("out"), err: stream("err") }, false),
    env: { XDG_CONFIG_HOME: join(terminal.dir, "config") },
    signal: abort.signal,
  });
  const ended = sessionCommands.find(({ name }) => name === "sessions tail")?.run(context);
  return { said, ended, interrupt: () => abort.abort() };
}

/** A session, seen through by `look` while it is open. */
async function withSession(terminal: Terminal, look: (id: string) => Promise<void>): Promise<void> {
  const agents: Agent[] = [];
  try {
    for (const agent of ["asker", "worker"]) {
      agents.push(await connect({ ...(await terminal.enrolled(agent)), recover: false }));
    }
    const session = await agents[0]?.open("worker", { waitMs: 10_000 });
    await look(session?.id ?? "");
    await session?.close("seen");
  } finally {
    await Promise.all(agents.map((agent) => agent.close()));
  }
}

test("tail waits for its broker and goes on with the next, which has another key and port; no other API is asked", async () => {
  await using terminal = await Terminal.open();
  const asked: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(request.url);
    response.end();
  }).listen(0, "localhost");
  await once(elsewhere, "listening");
  const login = { api: `http://localhost:${(elsewhere.address() as AddressInfo).port}`, key: "aw_elsewhere" };
  await mkdir(join(terminal.dir, "config/agentworks"), { recursive: true });
  const profiles = { current: "default", profiles: { default: login } };
  await writeFile(join(terminal.dir, "config/agentworks/profiles.json"), JSON.stringify(profiles));
  const broker = await terminal.broker();
  const apiUrl = async () => JSON.parse(await terminal.read(".agentworks/broker.json")).apiUrl as string;
  const before = await apiUrl();

  const tail = tailAt(terminal);
  try {
    await withSession(terminal, (id) => until(() => new RegExp(`active .* ${id}`).test(tail.said.out)));
    broker.child.kill("SIGTERM");
    await broker.ended;
    await until(() => tail.said.err.includes("waiting for it"));
    await terminal.broker();
    const after = await apiUrl();
    expect(after).not.toBe(before);
    await withSession(terminal, (id) => until(() => new RegExp(`active .* ${id}`).test(tail.said.out)));
    tail.interrupt();
    expect(await tail.ended).toBe(0);
    expect(tail.said.err.split("\n")).toEqual([
      `Watching ${before} (Ctrl-C ends it) …`,
      `${before} does not answer: waiting for it …`,
      `${after} answers again.`,
      "",
    ]);
    expect(asked).toEqual([]);
  } finally {
    tail.interrupt();
    elsewhere.close();
  }
});

test("tail that finds nobody at its first look ends: nobody answered", async () => {
  await using terminal = await Terminal.open();
  terminal.env = { AGENTWORKS_API: "http://localhost:1", AGENTWORKS_API_KEY: "aw_x" };
  const { code, err } = await terminal.agentworks("sessions", "tail");
  expect([code, err]).toEqual([3, expect.stringContaining("The API at http://localhost:1 does not answer")]);
});
