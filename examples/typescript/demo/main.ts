// npm run demo: the main job, end to end, with the failures that people fear. It starts a broker and two agents as processes
// of their own, pulls the analyst's cable in the midst of the work, kills the broker with SIGKILL and starts it again, and
// then says what the agents' own code saw.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "../../../scripts/failure.ts";
import type { Report, Tally } from "./report.ts";
import { children, print, runDemo, type Setting } from "./setting.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

async function play(begin: () => Promise<Setting>, files: string[]): Promise<boolean> {
  const setting = await begin();
  let over = false;

  /** Starts an agent; resolves with its tally, or when it says that it is ready. */
  const agent = (script: string, args: string[], until: "ready" | "finished", onReport?: (report: Report) => void) =>
    new Promise<Tally | undefined>((resolve, reject) => {
      const child = fork(here(script), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      children.add(child);
      child.on("message", (report: Report) => {
        // What agents say once the work is done (that their cable is gone) must not come after the result.
        if (report.kind === "line" && !over) print(report.who, report.text);
        if (report.kind === "reconnected") setting.reconnects++;
        onReport?.(report);
        if (report.kind === until) resolve(report.kind === "finished" ? report.tally : undefined);
      });
      child.once("exit", (code) => reject(new Failure(`${script} ended before it was done (${code}).`)));
    });

  await agent("./analyst.ts", [JSON.stringify(await setting.credentials("analyst", "cable"))], "ready");
  print("analyst", "is connected with its own certificate, and can analyze");

  const planner = JSON.stringify(await setting.credentials("planner", "broker"));
  const tally = await agent("./planner.ts", [planner, ...files], "finished", (report) => {
    if (report.kind === "task_done") setting.done = report.done;
    if (report.kind === "line" && report.text.startsWith("TASK_PROGRESS")) setting.progress();
  });
  await setting.settled;
  over = true;
  if (tally === undefined) throw new Error("the planner finished without a tally");
  return setting.end(tally, files.length);
}

await runDemo(
  `Usage: npm run demo -- [FILE …]

Lets two agents work on files (this project's documents, when none is given), cuts a socket and kills the broker on the way,
and says what the agents saw. The last line is JSON.`,
  play,
);
