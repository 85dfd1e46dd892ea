// npm run test:ruby: the tests of the Ruby SDK, on a real broker. Arguments go to minitest (`-- -n /cancel/`).

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Failure, runCommand } from "./failure.ts";
import { needInterpreter } from "./languages.ts";
import { root } from "./sources.ts";

await runCommand(async () => {
  const ruby = needInterpreter("ruby");
  if (spawnSync(ruby, ["-e", 'require "minitest"'], { stdio: "ignore" }).status !== 0) {
    throw new Failure("Install the gem minitest (gem install minitest; Debian: apt-get install ruby-minitest).");
  }
  const run = spawnSync(ruby, ["-w", join(root, "sdk/ruby/test/run.rb"), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, AGENTWORKS_NODE: process.execPath },
  });
  process.exitCode = run.status ?? 1;
});
