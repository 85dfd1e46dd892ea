// The commands as people run them: npm start, agentworks agent create, and the openssl scripts, each a process of its own.

import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { isAlive } from "../../scripts/broker/process.ts";
import { runningBroker } from "../../scripts/broker/state-folder.ts";
import { has } from "../../scripts/machine.ts";
import { ask, run as runScript, temporaryFolder, until } from "./edge-fixtures.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const cli = "sdk/typescript/src/cli/main.ts";
/** The command line, asking for an identity at the broker of a state folder. */
const create = (agent: string, stateDir: string, ...flags: string[]) =>
  run(cli, "agent", "create", agent, "--state", stateDir, "--json", ...flags).finished;

function run(script: string, ...args: string[]) {
  const started = runScript(script, args);
  children.push(started.child);
  return started;
}

interface Ready {
  agentsUrl: string;
  apiUrl: string;
  caFile: string;
  stateDir: string;
}

/** npm start on free ports; resolves when the ready file is there. */
async function start(
  dir: string,
  ...flags: string[]
): Promise<{ child: ChildProcess; ready: Ready; end: Promise<number | null>; stderr: Promise<string> }> {
  const readyFile = join(dir, `ready-${children.length}.json`);
  const state = join(dir, "state");
  const { child, finished } = run(
    "scripts/start.ts",
    ...["--agents-port", "0", "--api-port", "0", "--state", state, "--ready-file", readyFile],
    ...flags,
  );
  const end = finished.then(({ code }) => code);
  const stderr = finished.then((output) => output.stderr);
  await until(() => existsSync(readyFile) || child.exitCode !== null, 30_000);
  if (child.exitCode !== null) throw new Error((await finished).stderr);
  return { child, ready: JSON.parse(await readFile(readyFile, "utf8")), end, stderr };
}

async function workerdOf(stateDir: string) {
  return JSON.parse(await readFile(join(stateDir, "lock"), "utf8")).workerd;
}

async function agents(ready: Ready, certificateFile: string, keyFile: string): Promise<number> {
  const [ca, certificate, key] = await Promise.all(
    [ready.caFile, certificateFile, keyFile].map((file) => readFile(file, "utf8")),
  );
  const identity = { certificate: certificate ?? "", key: key ?? "" };
  return (await ask(ready.agentsUrl, "/v1/agents", { ca: ca ?? "", identity })).status;
}

/** What an API key is told about its account. */
async function accountOf(apiUrl: string, key: string): Promise<{ status: number; account?: string }> {
  const response = await fetch(`${apiUrl}/v1/account`, { headers: { authorization: `Bearer ${key}` } });
  return { ...((await response.json()) as object), status: response.status };
}

describe("npm start", () => {
  test("says where it is, lets the command line certify, and ends in order", async () => {
    await using folder = await temporaryFolder();
    const { child, ready, end } = await start(folder.dir);
    expect(ready).toEqual({
      agentsUrl: expect.stringMatching(/^wss:\/\/localhost:\d+$/),
      apiUrl: expect.stringMatching(/^http:\/\/localhost:\d+$/),
      caFile: join(folder.dir, "state/ca.pem"),
      stateDir: join(folder.dir, "state"),
    });
    expect((await fetch(`${ready.apiUrl}/health`)).status).toBe(200);

    const agent = JSON.parse((await create("planner", ready.stateDir)).stdout);
    const dir = join(ready.stateDir, "agents/planner");
    expect(agent).toMatchObject({ agent_id: "planner", agents_url: ready.agentsUrl, ca_file: join(dir, "ca.pem") });
    expect(await readFile(agent.ca_file, "utf8")).toBe(await readFile(ready.caFile, "utf8"));
    expect(await agents(ready, agent.cert_file, agent.key_file)).toBe(200);

    const { apiKey = "" } = await runningBroker(ready.stateDir);
    expect(await accountOf(ready.apiUrl, apiKey)).toMatchObject({ status: 200, account: "local" });

    const workerd = await workerdOf(ready.stateDir);
    child.kill("SIGINT");
    expect(await end).toBe(0);
    await until(() => !isAlive(workerd));
    expect(existsSync(join(ready.stateDir, "lock"))).toBe(false);
    expect(existsSync(join(ready.stateDir, "broker.json"))).toBe(false);
  });

  test("killed by SIGKILL it leaves no workerd behind, and the next start goes on with its state", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.dir);
    await create("planner", first.ready.stateDir);
    const before = await runningBroker(first.ready.stateDir);
    const workerd = await workerdOf(first.ready.stateDir);
    expect(isAlive(workerd)).toBe(true);
    first.child.kill("SIGKILL");
    await first.end;
    await until(() => !isAlive(workerd));
    const orphaned = await create("late", first.ready.stateDir);
    expect(orphaned).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/^\{"error":.*No broker runs on [^\n]*\n$/),
    });

    const { port } = new URL(first.ready.agentsUrl);
    const second = await start(folder.dir, "--agents-port", port);
    expect(second.ready.agentsUrl).toBe(first.ready.agentsUrl);
    const { apiKey = "" } = await runningBroker(second.ready.stateDir);
    expect(apiKey).not.toBe(before.apiKey);
    expect(await accountOf(second.ready.apiUrl, apiKey)).toMatchObject({ status: 200 });
    expect(await accountOf(second.ready.apiUrl, before.apiKey ?? "")).toMatchObject({ status: 401 });
    const dir = join(second.ready.stateDir, "agents/planner");
    expect(await agents(second.ready, join(dir, "cert.pem"), join(dir, "key.pem"))).toBe(200);
    second.child.kill("SIGTERM");
    expect(await second.end).toBe(0);
  });

  test("a state folder that is removed or moved away ends it, and it says why", async () => {
    for (const lose of [(dir: string) => rm(dir, { recursive: true }), (dir: string) => rename(dir, `${dir}.old`)]) {
      await using folder = await temporaryFolder();
      const { ready, end, stderr } = await start(folder.dir);
      await lose(ready.stateDir);
      expect(await end).toBe(1);
      expect(await stderr).toContain(`The state folder ${ready.stateDir} was removed, moved away or taken`);
    }
  });

  test("wrong flags are one clear sentence and a non-zero exit; --help is neither", async () => {
    const bad = [
      [["--agents-port", "70000"], /^--agents-port takes a port from 0 \(any free one\) to 65535, not "70000"\.\n$/],
      [["--colour"], /^Unknown option '--colour'\.\n\nUsage: npm start/],
      [["extra"], /^npm start takes no argument "extra"\.\n\nUsage: npm start/],
      [["--state", "package.json"], /package\.json is not a directory: name another state folder with --state\.\n$/],
    ] as const;
    for (const [flags, sentence] of bad) {
      const { code, stderr } = await run("scripts/start.ts", ...flags).finished;
      expect([code, stderr]).toEqual([1, expect.stringMatching(sentence)]);
    }
    const help = await run("scripts/start.ts", "--help").finished;
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("--ready-file FILE"), stderr: "" });
  });
});

describe.skipIf(!has("openssl") || !has("bash"))("a CA of one's own, by openssl", () => {
  test("its agents are let in by --client-ca, once registered", async () => {
    await using folder = await temporaryFolder();
    const own = join(folder.dir, "own ca");
    const made = await run("scripts/generate_ca.sh", own).finished;
    expect(made).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining(`npm start -- --client-ca ${own}/ca.pem`),
    });
    const issued = await run("scripts/generate_agent_cert.sh", "planner", own).finished;
    expect(issued).toMatchObject({ code: 0, stderr: "" });
    const certificateFile = join(own, "agents/planner/cert.pem");
    const keyFile = join(own, "agents/planner/key.pem");
    for (const file of [keyFile, join(own, "ca.key")]) expect((await stat(file)).mode & 0o777).toBe(0o600);

    const { ready, child, end } = await start(folder.dir, "--client-ca", join(own, "ca.pem"));
    expect(await agents(ready, certificateFile, keyFile)).toBe(403);
    const added = await create("planner", ready.stateDir, "--certificate", certificateFile);
    expect(issued.stdout).toContain(JSON.parse(added.stdout.trim()).fingerprint);
    expect(await agents(ready, certificateFile, keyFile)).toBe(200);
    child.kill("SIGTERM");
    expect(await end).toBe(0);
  });

  test("nothing is overwritten, and bad arguments are refused", async () => {
    await using folder = await temporaryFolder();
    const own = join(folder.dir, "own");
    const early = await run("scripts/generate_agent_cert.sh", "planner", own).finished;
    expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining("make one by scripts/generate_ca.sh") });
    await mkdir(own);
    await run("scripts/generate_ca.sh", own).finished;
    const key = await readFile(join(own, "ca.key"), "utf8");
    const again = await run("scripts/generate_ca.sh", own).finished;
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("ca.pem exists") });
    expect(await readFile(join(own, "ca.key"), "utf8")).toBe(key);
    for (const name of ["No Agent", "../up", ""]) {
      expect((await run("scripts/generate_agent_cert.sh", name, own).finished).code).toBe(1);
    }
    await run("scripts/generate_agent_cert.sh", "planner", own).finished;
    const twice = await run("scripts/generate_agent_cert.sh", "planner", own).finished;
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining("cert.pem exists") });
  });
});
