// npm run demo:interop: three agents in three languages work together, with the failures that people fear. It starts a broker and
// the agents as processes of their own, pulls the analyst's cable in the midst of a task, kills the broker with SIGKILL and starts
// it again, and then says what the agents' own code saw.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { killChild, startBrokerChild } from "../../scripts/broker/child.ts";
import { tieToThisProcess } from "../../scripts/broker/process.ts";
import { layCable } from "../../scripts/cable.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { readCommandLine } from "../../scripts/command-line.ts";
import { Failure, runCommand } from "../../scripts/failure.ts";
import { needInterpreter } from "../../scripts/languages.ts";
import { ownDocuments, readable } from "../typescript/demo/documents.ts";

/** What an agent's own code saw: its last line. */
interface Tally {
  tasks: number;
  succeeded: number;
  messages: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const started = performance.now();
const children = new Set<ChildProcess>();

function print(who: string, text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2).padStart(6);
  console.log(`${seconds}s  ${who.padEnd(8)} ${text}`);
}

/** An agent in a process of its own. What it prints is heard line by line. */
class Actor {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #tally = Promise.withResolvers<Tally>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #gone: Promise<number | null>;

  constructor(name: string, command: readonly string[], env: Record<string, string>, hear: (text: string) => void) {
    this.name = name;
    const [program = "", ...rest] = command;
    const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
    this.#child = child;
    children.add(child);
    if (child.pid !== undefined) tieToThisProcess(child.pid);
    this.#gone = new Promise((resolve) => child.once("close", resolve));
    let begun = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (begun + text).split("\n");
      begun = lines.pop() ?? "";
      for (const line of lines) {
        this.#ready.resolve();
        if (line.startsWith("{")) this.#tally.resolve(JSON.parse(line));
        else hear(line);
      }
    });
    // Nobody may wait for either any more.
    for (const { promise } of [this.#ready, this.#tally]) promise.catch(() => undefined);
    void this.#gone.then((code) => {
      const failure = new Failure(`The ${name} ended before it was done (${code}).`);
      this.#ready.reject(failure);
      this.#tally.reject(failure);
    });
  }

  /** It has said that it is connected. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get tally(): Promise<Tally> {
    return this.#tally.promise;
  }

  /** Ctrl-C for it alone: it drains and ends. */
  async leave(): Promise<void> {
    this.#child.kill("SIGINT");
    const code = await this.#gone;
    if (code !== 0) throw new Failure(`The ${this.name} did not end in good order (${code}).`);
  }
}

async function run(state: string, files: string[]): Promise<boolean> {
  const commands = {
    analyst: [needInterpreter("ruby"), "-I", here("../../sdk/ruby/lib"), here("analyst.rb")],
    planner: [needInterpreter("python"), here("planner.py"), ...files],
    editor: [process.execPath, here("editor.ts")],
  };
  const startBroker = (port: number) => startBrokerChild(state, port, (child) => children.add(child));
  let broker = await startBroker(0);
  print("broker", `runs behind mutual TLS on port ${broker.port}, state in a folder of its own`);
  const cable = await layCable(broker.port);
  let reconnects = 0;
  let brokerRestarts = 0;

  const enter = async (name: keyof typeof commands, port: number, hear: (text: string) => void = () => {}) => {
    const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: state, agentId: name });
    const env = {
      AGENTWORKS_URL: `wss://localhost:${port}`,
      AGENTWORKS_CA: caFile,
      AGENTWORKS_CERTIFICATE: certificateFile,
      AGENTWORKS_KEY: keyFile,
      PYTHONPATH: here("../../sdk/python"),
      PYTHONDONTWRITEBYTECODE: "1",
    };
    return new Actor(name, commands[name], env, (text) => {
      print(name, text);
      if (text.startsWith("connected again")) reconnects++;
      hear(text);
    });
  };

  const restart = async () => {
    print("demo", "kills the broker with SIGKILL");
    children.delete(broker.process);
    await killChild(broker.process);
    broker = await startBroker(broker.port);
    brokerRestarts++;
    print("broker", "runs again, from what it had stored");
  };

  const analyst = await enter("analyst", cable.port);
  await analyst.ready;
  // The cable is cut halfway, the broker killed after three quarters: both in the midst of a task, after some of its progress.
  const cutAfter = Math.min(Math.floor(files.length / 2), files.length - 1);
  const killAfter = Math.min(Math.floor((files.length * 3) / 4), files.length - 1);
  let done = 0;
  let cut = false;
  let restarted: Promise<void> | undefined;
  const planner = await enter("planner", broker.port, (text) => {
    if (text.startsWith("has ")) done++;
    if (!text.startsWith("TASK_PROGRESS")) return;
    if (!cut && done >= cutAfter) {
      cut = true;
      print("demo", `cuts the analyst's socket (${cable.cut()} open)`);
    } else if (cut && done >= killAfter) restarted ??= restart();
  });
  await planner.ready;
  const editor = await enter("editor", broker.port);
  const tallies = await Promise.all([planner.tally, editor.tally]);
  await restarted;
  await Promise.all([planner.leave(), analyst.leave()]);
  cable.close();

  const sum = (what: keyof Tally) => tallies.reduce((total, tally) => total + tally[what], 0);
  const result = {
    tasks: sum("tasks"),
    succeeded: sum("succeeded"),
    messages: sum("messages"),
    reconnects,
    brokerRestarts,
    lost: sum("lost"),
    duplicated: sum("duplicated"),
    outOfOrder: sum("outOfOrder"),
  };
  const { tasks, succeeded, lost, duplicated, outOfOrder } = result;
  console.log(
    `\n${succeeded} of ${tasks} tasks succeeded; lost ${lost}, repeated ${duplicated}, out of order ${outOfOrder}.`,
  );
  console.log(JSON.stringify(result));
  return succeeded === tasks && lost + duplicated + outOfOrder === 0 && reconnects >= 1 && brokerRestarts === 1;
}

const usage = `Usage: npm run demo:interop -- [FILE …]

Lets a Python, a Ruby and a TypeScript agent work on files (this project's documents, when none is given), cuts a socket and kills
the broker on the way, and says what the agents saw. The last line is JSON.`;

await runCommand(async () => {
  const { positionals } = readCommandLine(usage, {});
  const files = await readable(positionals.length > 0 ? positionals : await ownDocuments());
  const state = await mkdtemp(join(tmpdir(), "agentworks-demo-"));
  const clean = async () => {
    for (const child of children) await killChild(child);
    await rm(state, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(130)));
  }
  try {
    if (!(await run(state, files))) process.exitCode = 1;
  } finally {
    await clean();
  }
});
process.exit();
