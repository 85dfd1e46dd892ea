// Every command but those of `agent` against a real embedded broker: what it prints, what it writes, how it ends.
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { first } from "../../sdk/typescript/src/cli/pages.ts";
import { HttpApi } from "../../sdk/typescript/src/http/index.ts";
import { connect } from "../../sdk/typescript/src/index.ts";
import { until } from "../e2e/edge-fixtures.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
beforeAll(async () => {
  terminal = await Terminal.open();
  await terminal.broker();
});
afterAll(() => terminal[Symbol.asyncDispose]());

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

describe("keys and logins", () => {
  test("a key is made, used by a login, listed, revoked; the profile is for its owner alone", async () => {
    const { apiUrl } = JSON.parse(await terminal.read("ready.json")) as { apiUrl: string };
    const made = await terminal.json<{ id: string; key: string }>("key", "create", "ci", "--scope", "agents:read");
    await using elsewhere = await Terminal.open();
    const missing = await elsewhere.agentworks("agent", "list");
    expect([missing.code, missing.err]).toEqual([4, expect.stringContaining("agentworks login --api URL")]);
    const login = elsewhere.start(
      join(root, "sdk/typescript/src/cli/main.ts"),
      ["login", "--api", apiUrl],
      `${made.key}\n`,
    );
    const { code, out, err } = await login.ended;
    expect(code, err).toBe(0);
    expect(out + err).not.toContain(made.key);
    const file = join(elsewhere.dir, "config/agentworks/profiles.json");
    expect(await modeOf(file)).toBe(0o600);
    expect((await elsewhere.agentworks("agent", "list")).code).toBe(0);
    const denied = await elsewhere.agentworks("agent", "create", "forbidden");
    expect([denied.code, denied.err]).toEqual([1, expect.stringContaining("permission_denied")]);

    const { api_keys } = await terminal.json<{ api_keys: { id: string; status: string }[] }>("key", "list");
    expect(api_keys).toContainEqual(expect.objectContaining({ id: made.id, status: "active" }));
    expect((await terminal.agentworks("key", "revoke", made.id)).out).toBe(`ci (${made.id}) is revoked.\n`);
    const refused = await elsewhere.agentworks("agent", "list");
    expect([refused.code, refused.err]).toEqual([4, expect.stringContaining("api_key_revoked")]);
  });

  test("a key in the environment is enough; one that is wrong is not kept by login", async () => {
    const { apiUrl } = JSON.parse(await terminal.read("ready.json")) as { apiUrl: string };
    const { key } = await terminal.json<{ key: string }>("key", "create", "env", "--scope", "agents:read");
    await using elsewhere = await Terminal.open();
    elsewhere.env = { AGENTWORKS_API: apiUrl, AGENTWORKS_API_KEY: key };
    expect((await elsewhere.agentworks("agent", "list")).code).toBe(0);
    elsewhere.env = { AGENTWORKS_API_KEY: `${key.slice(0, -1)}_` };
    const wrong = await elsewhere.agentworks("login", "--api", apiUrl);
    expect([wrong.code, wrong.err]).toEqual([4, expect.stringContaining("credentials_invalid")]);
    elsewhere.env = {};
    expect((await elsewhere.agentworks("agent", "list")).code).toBe(4);
    const open = await elsewhere.agentworks("agent", "list", "--api", "http://broker.example");
    expect([open.code, open.err]).toEqual([2, expect.stringContaining("by https")]);
  });

  test("profiles beside each other: chosen by name, by --api or by use; forgotten by logout", async () => {
    const { apiUrl } = JSON.parse(await terminal.read("ready.json")) as { apiUrl: string };
    await using elsewhere = await Terminal.open();
    const login = async (profile: string, scope: string) => {
      const { key } = await terminal.json<{ key: string }>("key", "create", profile, "--scope", scope);
      elsewhere.env = { AGENTWORKS_API_KEY: key };
      await elsewhere.json("login", "--api", apiUrl, "--profile", profile);
      elsewhere.env = {};
    };
    await login("keys", "keys:read");
    await login("agents", "agents:read");
    const codes = async (...flags: string[]) =>
      Promise.all(
        [
          ["key", "list"],
          ["agent", "list"],
        ].map(async (one) => (await elsewhere.agentworks(...one, ...flags)).code),
      );
    expect(await codes()).toEqual([1, 0]);
    expect(await codes("--profile", "keys")).toEqual([0, 1]);
    await elsewhere.json("profile", "use", "keys");
    expect(await codes()).toEqual([0, 1]);
    expect((await elsewhere.agentworks("profile", "list")).out).toMatch(/^keys +http:\S+ +yes$/m);
    for (const args of [
      ["profile", "use", "other"],
      ["account", "--profile", "constructor"],
    ]) {
      const ended = await elsewhere.agentworks(...args, "--json");
      expect([ended.code, JSON.parse(ended.err)]).toEqual([
        2,
        { error: { reason: "usage", detail: expect.stringContaining("There are: agents, keys.") } },
      ]);
    }
    await elsewhere.json("logout");
    expect(await codes()).toEqual([1, 0]);
    await elsewhere.json("logout");
    expect((await elsewhere.agentworks("agent", "list", "--json")).code).toBe(4);
  });

  test("an API that does not answer is worth another try", async () => {
    await using elsewhere = await Terminal.open();
    elsewhere.env = { AGENTWORKS_API: "http://localhost:1", AGENTWORKS_API_KEY: "aw_x" };
    const { code, err } = await elsewhere.agentworks("agent", "list");
    expect([code, err]).toEqual([3, expect.stringContaining("The API at http://localhost:1 does not answer")]);
  });
});

describe("sessions and the audit log", () => {
  test("tail tells of a session when it comes and when it goes; list and show know it afterwards", async () => {
    await terminal.create("worker");
    const tail = terminal.begin("sessions", "tail", "--json");
    const flags = ["--agent", "worker", "--try", "count", "--input", "a b c"];
    await terminal.json("agent", "run", await terminal.program("worker.ts"), ...flags);
    await until(() => tail.out().includes('"closed"'));
    tail.child.kill("SIGINT");
    expect((await tail.ended).code).toBe(0);
    const lines = tail
      .out()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { session_id: string; responder: string });
    const session = lines.find(({ responder }) => responder === "worker");
    const { sessions } = await terminal.json<{ sessions: { session_id: string }[] }>("sessions", "list");
    expect(sessions.map(({ session_id }) => session_id)).toContain(session?.session_id);
    const { out } = await terminal.agentworks("sessions", "show", session?.session_id ?? "");
    expect(out).toMatch(/closed, ask-[0-9a-f]+ → worker\n/);
    expect(out).toContain("TASK_REQUEST");
    expect((await terminal.agentworks("sessions", "show", "nothing")).err).toContain("session_unknown");
  });

  test("audit says who did what", async () => {
    const { fingerprint } = await terminal.create("audited");
    const { entries } = await terminal.json<{ entries: object[] }>("audit", "--limit", "5");
    expect(entries).toContainEqual(
      expect.objectContaining({
        actor: expect.stringMatching(/^key:/),
        action: "certificate.issue",
        target: fingerprint,
      }),
    );
  });
});

describe("policy", () => {
  test("set from a file, tested before anybody asks, and not replaced when somebody was faster", async () => {
    for (const agent of ["opener", "visitor"]) await terminal.create(agent);
    expect((await terminal.agentworks("agent", "tag", "visitor", "guest")).out).toBe("visitor has guest.\n");
    expect((await terminal.agentworks("policy", "get")).out).toContain("No rules");
    const rules = [{ effect: "deny", action: "open", from: {}, to: { tag: "guest" } }];
    await writeFile(join(terminal.dir, "policy.json"), JSON.stringify({ rules }));
    const { etag } = await terminal.json<{ etag: string }>("policy", "set", "policy.json");
    const denied = await terminal.agentworks("policy", "test", "opener", "--to", "visitor");
    expect([denied.code, denied.out]).toEqual([
      1,
      "opener may not open sessions with visitor (rule 0: deny open * → tag=guest).\n",
    ]);
    const allowed = await terminal.agentworks("policy", "test", "visitor", "--capability", "count");
    expect([allowed.code, allowed.out]).toEqual([0, "visitor may offer count (no rule fits).\n"]);
    expect((await terminal.agentworks("policy", "test", "opener")).code).toBe(2);

    await writeFile(join(terminal.dir, "seen.json"), JSON.stringify({ rules: [], etag }));
    expect((await terminal.agentworks("policy", "set", "seen.json")).out).toContain("No rules");
    const late = await terminal.agentworks("policy", "set", "seen.json");
    expect([late.code, late.err]).toEqual([1, expect.stringContaining("precondition_failed")]);
    await writeFile(join(terminal.dir, "no-policy.json"), "[]");
    expect((await terminal.agentworks("policy", "set", "no-policy.json")).err).toMatch(
      /is no policy: \{"rules": \[…\]\}/,
    );
  });
});

describe("dead letters", () => {
  test("what a closed session left goes into another, once", async () => {
    await using sender = await connect(await terminal.enrolled("sender"));
    const receiver = await terminal.enrolled("receiver");
    const here = await connect(receiver);
    const left = await sender.open("receiver");
    await here.close();
    await left.send("nobody took it");
    expect((await terminal.agentworks("sessions", "close", left.id)).err).toContain("add --yes");
    expect((await terminal.agentworks("sessions", "close", left.id, "--yes")).out).toContain("is closed");
    const { dead_letters } = await terminal.json<{ dead_letters: object[] }>(
      "sessions",
      "dead-letters",
      left.id,
      "--payloads",
    );
    expect(dead_letters).toEqual([
      expect.objectContaining({ type: "MESSAGE", redrivable: true, data: { content: "nobody took it" } }),
    ]);
    await using back = await connect(receiver);
    const next = await sender.open("receiver");
    const redrive = () => terminal.agentworks("sessions", "redrive", left.id, "--into", next.id);
    expect((await redrive()).out).toBe("1 sent, 0 skipped, 0 left for want of room.\n");
    expect((await redrive()).out).toBe("0 sent, 0 skipped, 0 left for want of room.\n");
    const [session] = await first(back.sessions(), 1);
    if (session === undefined) throw new Error("no session came");
    const [message] = await first(session.messages(), 1);
    expect(message?.content).toBe("nobody took it");
    expect((await terminal.agentworks("sessions", "dead-letters", left.id)).out).toContain(next.id);
  });
});

describe("what there is in the account", () => {
  test("account, capabilities, and an agent that is sent to connect anew", async () => {
    await using agent = await connect(await terminal.enrolled("offering"));
    await agent.handle("translate", () => "", { version: "2.0.0" });
    expect((await terminal.agentworks("capabilities")).out).toMatch(/^translate +1 +2\.0\.0$/m);
    expect((await terminal.agentworks("account")).out).toMatch(/^local \(local\), active, at http:/);
    const broker = JSON.parse(await readFile(join(terminal.dir, ".agentworks", "broker.json"), "utf8"));
    const api = new HttpApi({ url: broker.apiUrl, credential: broker.apiKey });
    const rename = (name: string) => api.request("PATCH /v1/account", { body: { name } });
    await rename("a\u001b[2Jb\u202ec");
    expect((await terminal.agentworks("account")).out).toMatch(/^local \(a\ufffd\[2Jb\ufffdc\), active/);
    await rename("local");
    const statuses = agent.status();
    expect((await terminal.agentworks("agent", "drain", "offering")).out).toContain("1 connections");
    expect((await statuses.next()).value).toMatchObject({ type: "goaway" });
  });
});

describe("the command line itself", () => {
  test("every command has help with an example", async () => {
    const { out } = await terminal.agentworks("--help");
    const names = [...out.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}\S/gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      const help = await terminal.agentworks(...name.split(" "), "--help");
      expect(help).toMatchObject({
        code: 0,
        err: "",
        out: expect.stringContaining(`Example:\n\n  agentworks ${name}`),
      });
    }
  });

  test("what makes no sense ends with 2, and does nothing", async () => {
    for (const [args, sentence] of [
      [["fly"], /^There is no command "fly". `agentworks --help` lists them/],
      [["dead-letters", "--help"], /^There is no command "dead-letters". Say `agentworks sessions dead-letters`/],
      [["agent"], /^Say which: agent create, /],
      [["agent", "create"], /^Something is missing\. `agentworks agent create --help`/],
      [["agent", "create", "a", "b"], /^"b" is too much/],
      [["agent", "create", "No Name"], /^"No Name" is no agent id/],
      [["agent", "list", "--colour"], /^Unknown option '--colour'/],
      [["agent", "create", "x", "--days", "many"], /^--days takes a whole number, not "many"/],
      [["agent", "list", "--profile", "nobody's"], /^There is no profile "nobody's"/],
      [["key", "create", "x"], /^Say what the key may/],
    ] as const) {
      const { code, out, err } = await terminal.agentworks(...args);
      expect([code, out, err]).toEqual([2, "", expect.stringMatching(sentence)]);
    }
  });
});
