// Every command against a real embedded broker: what it prints, what it writes, how it ends.
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { root } from "../../scripts/sources.ts";
import { first } from "../../sdk/typescript/src/cli/pages.ts";
import { HttpApi } from "../../sdk/typescript/src/http/index.ts";
import { connect } from "../../sdk/typescript/src/index.ts";
import { temporaryFolder, until } from "../e2e/edge-fixtures.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
beforeAll(async () => {
  terminal = await Terminal.open();
  await terminal.broker();
});
afterAll(() => terminal[Symbol.asyncDispose]());

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

interface Identity {
  agent_id: string;
  agents_url: string;
  cert_file: string;
  key_file: string;
  ca_file: string;
  fingerprint: string;
  not_after: string;
}
const create = (agent: string, ...flags: string[]) => terminal.json<Identity>("agent", "create", agent, ...flags);

/** A program of an agent: `count` counts words, `fail` throws. */
async function program(name: string): Promise<string> {
  const sdk = join(root, "sdk/typescript/src/index.ts");
  await writeFile(
    join(terminal.dir, name),
    `import { connect, fromEnvironment } from ${JSON.stringify(sdk)};
     const agent = await connect(fromEnvironment());
     await agent.handle("count", async (text, task) => { await task.progress("counting"); return String(text).split(" ").length; });
     await agent.handle("fail", () => { throw new Error("as it was told"); });
     console.log(agent.id, "is there, with key", process.env.AGENTWORKS_API_KEY);`,
  );
  return name;
}

describe("agent", () => {
  test("create: the key is made here, both files are for the owner alone, and out of repositories", async () => {
    const one = await create("maker");
    const dir = join(terminal.dir, ".agentworks/agents/maker");
    expect(one).toMatchObject({ agent_id: "maker", cert_file: join(dir, "cert.pem"), key_file: join(dir, "key.pem") });
    for (const file of ["cert.pem", "key.pem", "ca.pem", "agent.json"])
      expect(await modeOf(join(dir, file))).toBe(0o600);
    expect(await modeOf(dir)).toBe(0o700);
    expect(await terminal.read(".agentworks/agents/maker/.gitignore")).toBe("*\n");
    expect(await terminal.read(".agentworks/agents/maker/key.pem")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect((await create("maker")).fingerprint).not.toBe(one.fingerprint);
    const { certificates } = await terminal.json<{ certificates: unknown[] }>("agent", "certificates", "maker");
    expect(certificates).toHaveLength(2);
    const { out } = await terminal.agentworks("agent", "create", "maker", "--days", "3");
    expect(out).toMatch(/^maker may connect to wss:\/\/localhost:\d+ until [\d-]+ [\d:]+ UTC\.\n/);
  });

  test("create --certificate: registers one of a CA that is trusted, and says what is wrong with others", async () => {
    const ownCa = await openAuthority(join(terminal.dir, ".agentworks"));
    await writeFile(join(terminal.dir, "own.pem"), (await ownCa.issueAgent("own")).certificate);
    const registered = await terminal.json<object>("agent", "create", "own", "--certificate", "own.pem");
    expect(registered).toMatchObject({ agent_id: "own", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await using folder = await temporaryFolder();
    const stranger = await openAuthority(folder.dir);
    await writeFile(join(terminal.dir, "strange.pem"), (await stranger.issueAgent("own")).certificate);
    await writeFile(join(terminal.dir, "nonsense.pem"), "hello");
    const { certificate, key } = await ownCa.issueAgent("own");
    await writeFile(join(terminal.dir, "with-key.pem"), `${certificate}${key}`);
    for (const [file, code, sentence] of [
      [
        "strange.pem",
        2,
        /was issued by CN=.*, a CA that the broker does not trust: start it again with `npm start -- --client-ca/,
      ],
      [".agentworks/ca.pem", 2, /is the certificate of a CA \(CN=agentworks development CA\), not of an agent/],
      ["with-key.pem", 2, /with-key\.pem holds a private key, so nothing was sent/],
      ["missing.pem", 2, /missing\.pem cannot be read/],
      ["nonsense.pem", 1, /^invalid_request: .*certificate: not exactly one X\.509 certificate/],
    ] as const) {
      const ended = await terminal.agentworks("agent", "create", "own", "--certificate", file);
      expect([ended.code, ended.err]).toEqual([code, expect.stringMatching(sentence)]);
    }
  });

  test("list, suspend, activate, delete", async () => {
    await create("listed");
    const listed = async () => {
      const { agents } = await terminal.json<{ agents: { agent: string; status: string }[] }>("agent", "list");
      return agents.find(({ agent }) => agent === "listed")?.status;
    };
    expect(await listed()).toBe("active");
    expect((await terminal.agentworks("agent", "suspend", "listed")).out).toBe("listed is suspended.\n");
    expect(await listed()).toBe("suspended");
    await terminal.agentworks("agent", "activate", "listed");
    expect((await terminal.agentworks("agent", "list")).out).toMatch(/^AGENT +STATUS .*\n(.*\n)*listed +active +no/);
    expect((await terminal.agentworks("agent", "delete", "listed")).err).toContain("add --yes");
    expect((await terminal.agentworks("agent", "delete", "listed", "--yes")).code).toBe(0);
    expect(await listed()).toBeUndefined();
    const again = await terminal.agentworks("agent", "suspend", "listed", "--json");
    expect([again.code, JSON.parse(again.err)]).toEqual([
      1,
      { error: expect.objectContaining({ reason: "agent_not_found" }) },
    ]);
  });

  test("token and enroll: a machine with nothing else gets its files, once", async () => {
    await create("target");
    const { token } = await terminal.json<{ token: string }>("agent", "token", "target", "--expires-in", "60");
    const { apiUrl } = JSON.parse(await terminal.read("ready.json")) as { apiUrl: string };
    await using machine = await Terminal.open();
    const enroll = () => machine.agentworks("agent", "enroll", "--api", apiUrl, "--token", token, "--json");
    const ended = await enroll();
    expect(JSON.parse(ended.out)).toMatchObject({
      agent_id: "target",
      cert_file: join(machine.dir, ".agentworks/agents/target/cert.pem"),
    });
    expect(await modeOf(join(machine.dir, ".agentworks/agents/target/key.pem"))).toBe(0o600);
    const second = await enroll();
    expect([second.code, second.err]).toEqual([4, expect.stringContaining("enrolment_token_invalid")]);
  });

  test("run: the lines that connect it, in each language, with its paths in them", async () => {
    const { cert_file, agents_url } = await create("liner");
    for (const language of ["typescript", "python", "ruby"]) {
      const { out } = await terminal.agentworks("agent", "run", "--agent", "liner", "--language", language);
      for (const part of [cert_file, agents_url, "agentworks", "count"]) expect(out).toContain(part);
      expect(out.trim().split("\n").length).toBeLessThanOrEqual(15);
    }
    const unclear = await terminal.agentworks("agent", "run");
    expect([unclear.code, unclear.err]).toEqual([2, expect.stringContaining("say which, by --agent")]);
    expect((await terminal.agentworks("agent", "run", "--agent", "nobody")).err).toContain(
      "agentworks agent create nobody",
    );
  });

  test("run FILE: the program knows who it is, and nothing of API keys; it ends with Ctrl-C", async () => {
    await create("runner");
    const file = await program("runner.ts");
    terminal.env.AGENTWORKS_API_KEY = "aw_not-for-programs";
    const running = terminal.begin("agent", "run", file, "--agent", "runner");
    terminal.env = {};
    await until(() => running.out().includes("runner is there, with key undefined"));
    const asked = await terminal.agentworks("ask", "runner", "count", "to be or not to be");
    expect(asked).toMatchObject({ code: 0, out: "6\n" });
    const failed = await terminal.agentworks("ask", "runner", "fail", "{}");
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining("as it was told")]);
    const { agents } = await terminal.json<{ agents: { agent: string }[] }>("agent", "list");
    expect(agents.filter(({ agent }) => agent.startsWith("ask-"))).toEqual([]);
    running.child.kill("SIGINT");
    await running.ended;
  });

  test("ask ends its identity when it is interrupted, too", async () => {
    await create("absent");
    const asking = terminal.begin("ask", "absent", "count");
    const askers = async () => {
      const { agents } = await terminal.json<{ agents: { agent: string }[] }>("agent", "list");
      return agents.filter(({ agent }) => agent.startsWith("ask-"));
    };
    await until(async () => (await askers()).length > 0, 20_000);
    asking.child.kill("SIGINT");
    expect((await asking.ended).err).not.toContain("could not be ended");
    expect(await askers()).toEqual([]);
  });

  test("run FILE --try: asks it once, prints the answer, ends; a program that ends early is told", async () => {
    await create("tried");
    const flags = ["--agent", "tried", "--try", "count", "--input", '"one two"'];
    const { result } = await terminal.json<{ result: number }>("agent", "run", await program("tried.ts"), ...flags);
    expect(result).toBe(2);
    await writeFile(join(terminal.dir, "short.ts"), "process.exit(3);");
    const early = await terminal.agentworks("agent", "run", "short.ts", ...flags);
    expect([early.code, early.err]).toEqual([1, expect.stringContaining("ended before it answered (3)")]);
    const plain = await terminal.agentworks("agent", "run", "short.ts", "--agent", "tried");
    expect(plain.code).toBe(3);
  });

  test("revoke: the certificate is out, and its agent told so", async () => {
    const { fingerprint } = await create("revoked");
    const { out } = await terminal.agentworks("agent", "revoke", fingerprint.toUpperCase());
    expect(out).toContain("A certificate of revoked is revoked, 0 renewals with it; 0 connections were closed.");
    const ended = await terminal.agentworks("agent", "run", await program("revoked.ts"), "--agent", "revoked");
    expect(ended.err).toContain("certificate_revoked");
    expect((await terminal.agentworks("agent", "revoke", "abc")).code).toBe(2);
  });
});

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
    await create("worker");
    const tail = terminal.begin("sessions", "tail", "--json");
    const flags = ["--agent", "worker", "--try", "count", "--input", "a b c"];
    await terminal.json("agent", "run", await program("worker.ts"), ...flags);
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
    const { fingerprint } = await create("audited");
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
    for (const agent of ["opener", "visitor"]) await create(agent);
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
    const { agents_url: url, cert_file: certFile, key_file: keyFile, ca_file: caFile } = await create("sender");
    const other = await create("receiver");
    const receiver = { url, certFile: other.cert_file, keyFile: other.key_file, caFile };
    await using sender = await connect({ url, certFile, keyFile, caFile });
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
    const { agents_url: url, cert_file: certFile, key_file: keyFile, ca_file: caFile } = await create("offering");
    await using agent = await connect({ url, certFile, keyFile, caFile });
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
      [["fly"], /^There is no command "fly"/],
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
