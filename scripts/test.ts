// npm test: every test that this machine can run, then what was skipped and why. Arguments go to vitest.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { missingTools } from "./machine.ts";
import { root } from "./sources.ts";

const Report = z.object({
  testResults: z.array(z.object({ assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) })),
});

function skippedIn(reportFile: string): string[] {
  try {
    const report = Report.parse(JSON.parse(readFileSync(reportFile, "utf8")));
    return report.testResults
      .flatMap((file) => file.assertionResults)
      .filter(({ status }) => status !== "passed" && status !== "failed")
      .map(({ fullName }) => fullName);
  } catch {
    // vitest has said itself why there is no report.
    return [];
  }
}

const folder = mkdtempSync(join(tmpdir(), "agentworks-test-"));
const reportFile = join(folder, "report.json");
const started = Date.now();
const run = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${reportFile}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: "inherit" },
);
const skipped = skippedIn(reportFile);
rmSync(folder, { recursive: true, force: true });

const missing = missingTools();
console.log(`Tests took ${Math.round((Date.now() - started) / 1000)} s.`);
if (skipped.length === 0 && missing.length === 0) console.log("Nothing was skipped.");
for (const sentence of missing) console.log(`Skipped: ${sentence}`);
for (const name of skipped) console.log(`Skipped: ${name}`);
process.exitCode = run.status ?? 1;
