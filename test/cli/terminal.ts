// The command line as people run it: a process of its own, in a folder of its own, with nothing of this machine's user in it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/sources.ts";
import { until } from "../e2e/edge-fixtures.ts";

const main = join(root, "sdk/typescript/src/cli/main.ts");

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** What it has written to stdout by now. */
  out(): string;
}

/** What `agent create --json` prints. */
export interface Identity {
  agent_id: string;
  agents_url: string;
  cert_file: string;
  key_file: string;
  ca_file: string;
  fingerprint: string;
  not_after: string;
}

export class Terminal implements AsyncDisposable {
  /** The working directory; `.agentworks` in it is the state folder. */
  readonly dir: string;
  /** Beside PATH and the folder for configuration. */
  env: Record<string, string> = {};
  readonly #children = new Set<ChildProcess>();

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(): Promise<Terminal> {
    return new Terminal(await mkdtemp(join(tmpdir(), "agentworks-cli-")));
  }

  start(program: string, args: readonly string[], input?: string): Running {
    const { PATH = "", HOME = "" } = process.env;
    const env = { PATH, HOME, XDG_CONFIG_HOME: join(this.dir, "config"), ...this.env };
    const child = spawn(process.execPath, [program, ...args], { cwd: this.dir, env, stdio: "pipe" });
    this.#children.add(child);
    const said = { out: "", err: "" };
    child.stdout.on("data", (chunk: Buffer) => {
      said.out += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said.err += chunk;
    });
    child.stdin.end(input);
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code) => {
        this.#children.delete(child);
        resolve({ code, ...said });
      });
    });
    return { child, ended, out: () => said.out };
  }

  /** `npx agentworks …`, to its end. */
  agentworks(...args: string[]): Promise<Ended> {
    return this.start(main, args).ended;
  }

  /** The same while it runs. */
  begin(...args: string[]): Running {
    return this.start(main, args);
  }

  /** `npm start` on free ports, in this folder. Resolves when it is ready. */
  async broker(): Promise<Running> {
    await rm(join(this.dir, "ready.json"), { force: true });
    const ports = ["--agents-port", "0", "--api-port", "0"];
    const running = this.start(join(root, "scripts/start.ts"), [...ports, "--ready-file", "ready.json"]);
    await until(() => existsSync(join(this.dir, "ready.json")) || running.child.exitCode !== null, 30_000);
    if (running.child.exitCode !== null) throw new Error((await running.ended).err);
    return running;
  }

  /** The result of a command with `--json`; one that fails is an error. */
  async json<Result>(...args: string[]): Promise<Result> {
    const { code, out, err } = await this.agentworks(...args, "--json");
    if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${err}`);
    return JSON.parse(out) as Result;
  }

  create(agent: string, ...flags: string[]): Promise<Identity> {
    return this.json<Identity>("agent", "create", agent, ...flags);
  }

  /** Makes an agent. Answers what the SDK's `connect` takes. */
  async enrolled(agent: string): Promise<{ url: string; certFile: string; keyFile: string; caFile: string }> {
    const made = await this.create(agent);
    return { url: made.agents_url, certFile: made.cert_file, keyFile: made.key_file, caFile: made.ca_file };
  }

  /** A program of an agent, written here: `count` counts words, `fail` throws. */
  async program(name: string): Promise<string> {
    const sdk = join(root, "sdk/typescript/src/index.ts");
    await writeFile(
      join(this.dir, name),
      `import { connect, fromEnvironment } from ${JSON.stringify(sdk)};
       const agent = await connect(fromEnvironment());
       await agent.handle("count", async (text, task) => { await task.progress("counting"); return String(text).split(" ").length; });
       await agent.handle("fail", () => { throw new Error("as it was told"); });
       console.log(agent.id, "is there, with key", process.env.AGENTWORKS_API_KEY);`,
    );
    return name;
  }

  read(file: string): Promise<string> {
    return readFile(join(this.dir, file), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGTERM");
    await until(() => this.#children.size === 0);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
