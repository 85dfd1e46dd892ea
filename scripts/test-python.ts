// npm run test:python: the tests of the Python SDK, on a real broker. Arguments go to unittest.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Failure, runCommand } from "./failure.ts";
import { root } from "./sources.ts";

const candidates = [process.env.PYTHON, "/usr/bin/python3", "python3"].filter((one) => one !== undefined);
const probe = "import sys, websockets; assert sys.version_info >= (3, 9)";

await runCommand(async () => {
  const python = candidates.find((one) => spawnSync(one, ["-c", probe], { stdio: "ignore" }).status === 0);
  if (python === undefined) {
    throw new Failure(
      `None of ${candidates.join(", ")} is Python 3.9 or newer with websockets. Install it (Debian: apt-get install python3-websockets; else pip install websockets), or name another by PYTHON=…`,
    );
  }
  const wanted = process.argv.slice(2);
  const modules = wanted.length > 0 ? wanted : ["discover", "-s", "tests", "-t", "."];
  const run = spawnSync(python, ["-X", "dev", "-m", "unittest", ...modules], {
    cwd: join(root, "sdk/python"),
    stdio: "inherit",
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", AGENTWORKS_NODE: process.execPath },
  });
  process.exitCode = run.status ?? 1;
});
