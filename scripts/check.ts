// npm run check: everything that must hold before a commit, in one command, the same here and in CI.

import { spawnSync } from "node:child_process";
import { readCommandLine } from "./command-line.ts";
import { Failure, runCommand } from "./failure.ts";
import { root } from "./sources.ts";

const usage = `Usage: npm run check -- [flags]

Types, style, imports, rules, the SDKs' tables, the operations of the HTTP API, then all tests. Exits non-zero if any of them fails.

  --skip-tests  all but the tests (CI has just run them)
  --json        one JSON object as the last line
  --help        this text`;

const steps = [
  "check:types",
  "check:style",
  "check:imports",
  "check:rules",
  "check:tables",
  "check:operations",
  "test",
] as const;

interface Outcome {
  step: string;
  ok: boolean;
  seconds: number;
}

/** Runs one npm script; its output is shown when it fails, and always for the tests. */
function take(step: string): Outcome {
  const started = Date.now();
  const shown = step === "test";
  const run = spawnSync("npm", ["run", "--silent", step], {
    cwd: root,
    stdio: shown ? "inherit" : "pipe",
    encoding: "utf8",
  });
  const ok = run.status === 0;
  if (!ok && !shown) console.error(`${run.stdout}${run.stderr}${run.error?.message ?? ""}`);
  const seconds = Math.round((Date.now() - started) / 100) / 10;
  console.log(`${ok ? "ok    " : "FAILED"} ${step} (${seconds} s)`);
  return { step, ok, seconds };
}

await runCommand(async () => {
  const { values, positionals } = readCommandLine(usage, {
    "skip-tests": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  });
  if (positionals.length > 0) throw new Failure(`npm run check takes no argument "${positionals[0]}".\n\n${usage}`);
  const wanted = steps.filter((step) => step !== "test" || !values["skip-tests"]);
  const outcomes = wanted.map(take);
  if (values["skip-tests"]) console.log("--     test (left out by --skip-tests)");
  const ok = outcomes.every((outcome) => outcome.ok);
  if (values.json) console.log(JSON.stringify({ ok, testsSkipped: values["skip-tests"], steps: outcomes }));
  process.exitCode = ok ? 0 : 1;
});
