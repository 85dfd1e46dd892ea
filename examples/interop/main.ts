// npm run demo:interop: three agents in three languages work together, with the failures that people fear. It starts a broker and
// the agents as processes of their own, pulls the analyst's cable in the midst of a task, kills the broker with SIGKILL and starts
// it again, and then says what the agents' own code saw.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { tieToThisProcess } from "../../scripts/broker/process.ts";
import { Failure } from "../../scripts/failure.ts";
import { needInterpreter } from "../../scripts/languages.ts";
import type { Tally } from "../typescript/demo/report.ts";
import { children, print, runDemo, type Setting } from "../typescript/demo/setting.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

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

async function play(begin: () => Promise<Setting>, files: string[]): Promise<boolean> {
  const commands = {
    analyst: [needInterpreter("ruby"), "-I", here("../../sdk/ruby/lib"), here("analyst.rb")],
    planner: [needInterpreter("python"), here("planner.py"), ...files],
    editor: [process.execPath, here("editor.ts")],
  };
  const setting = await begin();

  const enter = async (
    name: keyof typeof commands,
    by: "broker" | "cable",
    hear: (text: string) => void = () => {},
  ) => {
    const { url, caFile, certFile, keyFile } = await setting.credentials(name, by);
    const env = {
      AGENTWORKS_URL: url,
      AGENTWORKS_CA: caFile,
      AGENTWORKS_CERTIFICATE: certFile,
      AGENTWORKS_KEY: keyFile,
      PYTHONPATH: here("../../sdk/python"),
      PYTHONDONTWRITEBYTECODE: "1",
    };
    return new Actor(name, commands[name], env, (text) => {
      print(name, text);
      if (text.startsWith("connected again")) setting.reconnects++;
      hear(text);
    });
  };

  const analyst = await enter("analyst", "cable");
  await analyst.ready;
  const planner = await enter("planner", "broker", (text) => {
    if (text.startsWith("has ")) setting.done++;
    if (text.startsWith("TASK_PROGRESS")) setting.progress();
  });
  await planner.ready;
  const editor = await enter("editor", "broker");
  const tallies = await Promise.all([planner.tally, editor.tally]);
  await setting.settled;
  await Promise.all([planner.leave(), analyst.leave()]);

  const sum = (what: keyof Tally) => tallies.reduce((total, tally) => total + tally[what], 0);
  const tasks = sum("tasks");
  return setting.end(
    {
      tasks,
      succeeded: sum("succeeded"),
      messages: sum("messages"),
      lost: sum("lost"),
      duplicated: sum("duplicated"),
      outOfOrder: sum("outOfOrder"),
    },
    tasks,
  );
}

await runDemo(
  `Usage: npm run demo:interop -- [FILE …]

Lets a Python, a Ruby and a TypeScript agent work on files (this project's documents, when none is given), cuts a socket and kills
the broker on the way, and says what the agents saw. The last line is JSON.`,
  play,
);
