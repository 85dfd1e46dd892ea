// The commands of `agent` against a real embedded broker: what they print, what they write, how they end.
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { temporaryFolder, until } from "../e2e/edge-fixtures.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
beforeAll(async () => {
  terminal = await Terminal.open();
  await terminal.broker();
});
afterAll(() => terminal[Symbol.asyncDispose]());

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

describe("agent", () => {
  test("create: the key is made here, both files are for the owner alone, and out of repositories", async () => {
    const one = await terminal.create("maker");
    const dir = join(terminal.dir, ".agentworks/agents/maker");
    expect(one).toMatchObject({ agent_id: "maker", cert_file: join(dir, "cert.pem"), key_file: join(dir, "key.pem") });
    for (const file of ["cert.pem", "key.pem", "ca.pem", "agent.json"])
      expect(await modeOf(join(dir, file))).toBe(0o600);
    expect(await modeOf(dir)).toBe(0o700);
    expect(await terminal.read(".agentworks/agents/maker/.gitignore")).toBe("*\n");
    expect(await terminal.read(".agentworks/agents/maker/key.pem")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect((await terminal.create("maker")).fingerprint).not.toBe(one.fingerprint);
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
    await terminal.create("listed");
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
    await terminal.create("target");
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
    const { cert_file, agents_url } = await terminal.create("liner");
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
    await terminal.create("runner");
    const file = await terminal.program("runner.ts");
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
    await terminal.create("absent");
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
    await terminal.create("tried");
    const flags = ["--agent", "tried", "--try", "count", "--input", '"one two"'];
    const { result } = await terminal.json<{ result: number }>(
      "agent",
      "run",
      await terminal.program("tried.ts"),
      ...flags,
    );
    expect(result).toBe(2);
    await writeFile(join(terminal.dir, "short.ts"), "process.exit(3);");
    const early = await terminal.agentworks("agent", "run", "short.ts", ...flags);
    expect([early.code, early.err]).toEqual([1, expect.stringContaining("ended before it answered (3)")]);
    const plain = await terminal.agentworks("agent", "run", "short.ts", "--agent", "tried");
    expect(plain.code).toBe(3);
  });

  test("revoke: the certificate is out, and its agent told so", async () => {
    const { fingerprint } = await terminal.create("revoked");
    const { out } = await terminal.agentworks("agent", "revoke", fingerprint.toUpperCase());
    expect(out).toContain("A certificate of revoked is revoked, 0 renewals with it; 0 connections were closed.");
    const ended = await terminal.agentworks("agent", "run", await terminal.program("revoked.ts"), "--agent", "revoked");
    expect(ended.err).toContain("certificate_revoked");
    expect((await terminal.agentworks("agent", "revoke", "abc")).code).toBe(2);
  });
});
