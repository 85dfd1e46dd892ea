// npm run demo: the main job, end to end, with the failures that people fear. It starts a broker and two agents as processes
// of their own, pulls the analyst's cable in the midst of the work, kills the broker with SIGKILL and starts it again, and
// then says what the agents' own code saw.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { killChild, startBrokerChild } from "../../../scripts/broker/child.ts";
import { layCable } from "../../../scripts/cable.ts";
import { certifyAgent } from "../../../scripts/certificates/certify.ts";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { Failure, runCommand } from "../../../scripts/failure.ts";
import { ownDocuments, readable } from "./documents.ts";
import type { Credentials, Report, Tally } from "./report.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const started = performance.now();
const children = new Set<ChildProcess>();

function print(who: string, text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(2).padStart(6);
  console.log(`${seconds}s  ${who.padEnd(8)} ${text}`);
}

async function run(state: string, files: string[]): Promise<boolean> {
  const startBroker = (port: number) => startBrokerChild(state, port, (child) => children.add(child));
  let broker = await startBroker(0);
  print("broker", `runs behind mutual TLS on port ${broker.port}, state in a folder of its own`);
  const cable = await layCable(broker.port);
  let reconnects = 0;
  let brokerRestarts = 0;
  let over = false;

  const credentials = async (agentId: string, port: number): Promise<Credentials> => {
    const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: state, agentId });
    return { url: `wss://localhost:${port}`, caFile, certFile: certificateFile, keyFile };
  };

  const restart = async () => {
    print("demo", "kills the broker with SIGKILL");
    children.delete(broker.process);
    await killChild(broker.process);
    broker = await startBroker(broker.port);
    brokerRestarts++;
    print("broker", "runs again, from what it had stored");
  };

  /** Starts an agent; resolves with its tally, or when it says that it is ready. */
  const agent = (script: string, args: string[], until: "ready" | "finished", onReport?: (report: Report) => void) =>
    new Promise<Tally | undefined>((resolve, reject) => {
      const child = fork(here(script), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      children.add(child);
      child.on("message", (report: Report) => {
        // What agents say once the work is done (that their cable is gone) must not come after the result.
        if (report.kind === "line" && !over) print(report.who, report.text);
        if (report.kind === "reconnected") reconnects++;
        onReport?.(report);
        if (report.kind === until) resolve(report.kind === "finished" ? report.tally : undefined);
      });
      child.once("exit", (code) => reject(new Failure(`${script} ended before it was done (${code}).`)));
    });

  await agent("./analyst.ts", [JSON.stringify(await credentials("analyst", cable.port))], "ready");
  print("analyst", "is connected with its own certificate, and can analyze");

  // The cable is cut halfway, the broker killed after three quarters: both in the midst of a task, after some of its progress.
  const cutAfter = Math.min(Math.floor(files.length / 2), files.length - 1);
  const killAfter = Math.min(Math.floor((files.length * 3) / 4), files.length - 1);
  let done = 0;
  let cut = false;
  let restarted: Promise<void> | undefined;
  const planner = JSON.stringify(await credentials("planner", broker.port));
  const tally = await agent("./planner.ts", [planner, ...files], "finished", (report) => {
    if (report.kind === "task_done") done = report.done;
    if (report.kind !== "line" || !report.text.startsWith("TASK_PROGRESS")) return;
    if (!cut && done >= cutAfter) {
      cut = true;
      print("demo", `cuts the analyst's socket (${cable.cut()} open)`);
    } else if (cut && done >= killAfter) restarted ??= restart();
  });
  await restarted;
  over = true;
  cable.close();
  if (tally === undefined) throw new Error("the planner finished without a tally");
  const { tasks, succeeded, messages, lost, duplicated, outOfOrder } = tally;
  const result = { tasks, succeeded, messages, reconnects, brokerRestarts, lost, duplicated, outOfOrder };
  console.log(
    `\n${succeeded} of ${tasks} tasks succeeded; lost ${lost}, repeated ${duplicated}, out of order ${outOfOrder}.`,
  );
  console.log(JSON.stringify(result));
  const whole = tally.succeeded === files.length && tally.lost + tally.duplicated + tally.outOfOrder === 0;
  return whole && reconnects >= 1 && brokerRestarts === 1;
}

const usage = `Usage: npm run demo -- [FILE …]

Lets two agents work on files (this project's documents, when none is given), cuts a socket and kills the broker on the way,
and says what the agents saw. The last line is JSON.`;

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
