// npm run test:python: the tests of the Python SDK, on a real broker. Arguments go to unittest.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { runCommand } from "./failure.ts";
import { needInterpreter } from "./languages.ts";
import { root } from "./sources.ts";

await runCommand(async () => {
  const python = needInterpreter("python");
  const wanted = process.argv.slice(2);
  const modules = wanted.length > 0 ? wanted : ["discover", "-s", "tests", "-t", "."];
  const run = spawnSync(python, ["-X", "dev", "-m", "unittest", ...modules], {
    cwd: join(root, "sdk/python"),
    stdio: "inherit",
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", AGENTWORKS_NODE: process.execPath },
  });
  process.exitCode = run.status ?? 1;
});
