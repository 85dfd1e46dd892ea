// agent run: a program started as an agent of this machine; or, without one, the lines that connect it.
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import { type AgentIdentity, readIdentity } from "../certificates/certify.ts";
import { variables } from "../environment.ts";
import { askOnce, inputOf } from "./ask.ts";
import { type Command, type Context, count, text } from "./command.ts";
import { connectingLines, identityRecord, type Language, languages } from "./lines.ts";
import { CommandFailed, exitCodes, UsageError } from "./usage.ts";

type Kept = Pick<AgentIdentity, "agent" | "account" | "url" | "certFile" | "keyFile" | "caFile">;

const interpreters: Record<string, readonly string[]> = {
  ".ts": [process.execPath],
  ".mts": [process.execPath],
  ".js": [process.execPath],
  ".mjs": [process.execPath],
  ".py": ["python3"],
  ".rb": ["ruby"],
};

/** The identity that is meant: the one that was named, or the only one there is. */
async function chosen({ flags }: Context): Promise<Kept> {
  const dir = text(flags, "dir");
  const agents = join(text(flags, "state") ?? ".agentworks", "agents");
  const named = text(flags, "agent");
  const found = dir !== undefined ? [dir] : named !== undefined ? [join(agents, named)] : await foldersIn(agents);
  const kept = (await Promise.all(found.map((folder) => readIdentity(resolve(folder))))).filter(
    (one) => one !== undefined,
  );
  const [only, ...more] = kept;
  if (only === undefined) {
    const where = dir ?? join(agents, named ?? "");
    throw new UsageError(`There is no agent in ${where}: make one by \`agentworks agent create ${named ?? "NAME"}\`.`);
  }
  if (more.length === 0) return only;
  throw new UsageError(
    `There are several agents here (${kept.map(({ agent }) => agent).join(", ")}): say which, by --agent.`,
  );
}

async function foldersIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => []);
  return names.map((name) => join(dir, name));
}

function environmentOf(identity: Kept, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { AGENTWORKS_API_KEY: _, AGENTWORKS_ENROLMENT_TOKEN: __, ...rest } = env;
  return {
    ...rest,
    [variables.url]: identity.url,
    [variables.certFile]: identity.certFile,
    [variables.keyFile]: identity.keyFile,
    ...(identity.caFile !== null && { [variables.caFile]: identity.caFile }),
  };
}

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** @param out where its output goes: 1, or 2 where stdout is for the answer alone */
function start(
  file: string,
  identity: Kept,
  env: NodeJS.ProcessEnv,
  out: 1 | 2,
): { child: ChildProcess; ended: Promise<Ended> } {
  const [interpreter, ...flags] = interpreters[extname(file)] ?? [];
  if (interpreter === undefined) {
    throw new UsageError(
      `${file}: it is known how to run ${Object.keys(interpreters).join(", ")}. Others find their files in ${variables.certFile} and its like: set them yourself.`,
    );
  }
  const child = spawn(interpreter, [...flags, file], {
    stdio: ["inherit", out, "inherit"],
    env: environmentOf(identity, env),
  });
  const ended = new Promise<Ended>((done, failed) => {
    child.once("error", (error) => failed(new CommandFailed(`${interpreter} cannot be started: ${error.message}.`)));
    child.once("exit", (code, signal) => done({ code, signal }));
  });
  return { child, ended };
}

/** As shells have it: 128 and the signal's number would be exact, a failure is what it means. */
const exitCodeOf = ({ code }: Ended) => code ?? exitCodes.failed;

async function tryOut(context: Context, identity: Kept, running: ReturnType<typeof start>): Promise<number> {
  const { flags, output, signal } = context;
  const target = await context.target();
  const waitMs = (count(flags, "wait") ?? 30) * 1000;
  const left = new AbortController();
  const early = running.ended.then((end) => {
    left.abort();
    throw new CommandFailed(`The program ended before it answered (${end.code ?? end.signal}).`);
  });
  try {
    const question = {
      agent: identity.agent,
      capability: text(flags, "try") ?? "",
      input: inputOf(text(flags, "input")),
      waitMs,
      signal: AbortSignal.any([signal, left.signal]),
    };
    const asked = askOnce(target, question, output);
    asked.catch(() => undefined);
    const result = await Promise.race([early, asked]);
    output.result(
      { agent: identity.agent, result },
      () => `${typeof result === "string" ? result : JSON.stringify(result, null, 2)}\n`,
    );
    return exitCodes.done;
  } finally {
    early.catch(() => undefined);
    running.child.kill("SIGTERM");
    await running.ended.catch(() => undefined);
  }
}

export const agentRun: Command = {
  name: "agent run",
  args: "[FILE] [--agent AGENT] [--try CAPABILITY [--input JSON]]",
  summary: "run a program as an agent (.ts, .js, .py, .rb); without FILE: print the lines that connect it",
  help: [
    "--agent AGENT       which agent; not needed where there is one",
    "--dir DIR           its folder, where that is not .agentworks/agents/AGENT",
    "--try CAPABILITY    once it is connected, ask it for one task, print what it answers, and end;",
    "                    what the program itself prints goes to stderr then",
    "--input JSON        of that task: JSON, or any text",
    "--wait SECONDS      how long --try waits for the agent, and for its answer (default 30)",
    "--language NAME     which lines to print: typescript, python, ruby (default: all)",
    `The program finds its files in ${Object.values(variables).join(", ")}: connect(fromEnvironment());`,
    "in Python connect(**from_environment()), in Ruby connect(**Agentworks.from_environment).",
  ],
  example: `agentworks agent run ./my-agent.ts --try count --input "to be or not to be"`,
  options: {
    agent: { type: "string" },
    dir: { type: "string" },
    try: { type: "string" },
    input: { type: "string" },
    wait: { type: "string" },
    language: { type: "string" },
  },
  takes: [0, 1],
  async run(context) {
    const { flags, args, output, env, signal } = context;
    const language = text(flags, "language");
    if (language !== undefined && !languages.some((one) => one === language)) {
      throw new UsageError(`--language takes ${languages.join(", ")}, not "${language}".`);
    }
    const identity = await chosen(context);
    const [file] = args;
    if (file === undefined) {
      const wanted = languages.filter((one) => language === undefined || one === language);
      const lines = Object.fromEntries(wanted.map((one) => [one, connectingLines(one, identity)])) as Record<
        Language,
        string
      >;
      const titled = () =>
        wanted.map((one) => (wanted.length === 1 ? lines[one] : `--- ${one}\n\n${lines[one]}`)).join("\n");
      output.result({ ...identityRecord(identity), lines }, titled);
      return exitCodes.done;
    }
    if (!(await stat(file).catch(() => undefined))?.isFile()) throw new UsageError(`There is no file ${file}.`);
    const isTried = text(flags, "try") !== undefined;
    const running = start(file, identity, env, isTried ? 2 : 1);
    // Ctrl-C in a terminal reaches the program by itself; a kill of this process does not.
    signal.addEventListener("abort", () => running.child.kill("SIGTERM"), { once: true });
    if (isTried) return tryOut(context, identity, running);
    return exitCodeOf(await running.ended);
  },
};
