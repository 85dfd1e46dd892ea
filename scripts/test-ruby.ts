// npm run test:ruby: the tests of the Ruby SDK, on a real broker. Arguments go to minitest (`-- -n /cancel/`).

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Failure, runCommand } from "./failure.ts";
import { root } from "./sources.ts";

const candidates = [process.env.RUBY, "ruby"].filter((one) => one !== undefined);
const probe = 'exit RUBY_VERSION >= "3.0"';
const gems = { websocket: "ruby-websocket", minitest: "ruby-minitest" };

await runCommand(async () => {
  const runs = (ruby: string, script: string) => spawnSync(ruby, ["-e", script], { stdio: "ignore" }).status === 0;
  const ruby = candidates.find((one) => runs(one, probe));
  if (ruby === undefined) {
    throw new Failure(
      `None of ${candidates.join(", ")} is Ruby 3.0 or newer. Install it (Debian: apt-get install ruby), or name another by RUBY=…`,
    );
  }
  for (const [gem, debian] of Object.entries(gems)) {
    if (runs(ruby, `require "${gem}"`)) continue;
    throw new Failure(
      `The Ruby SDK's tests need the gem ${gem}: gem install ${gem} (Debian: apt-get install ${debian}).`,
    );
  }
  const run = spawnSync(ruby, ["-w", join(root, "sdk/ruby/test/run.rb"), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, AGENTWORKS_NODE: process.execPath },
  });
  process.exitCode = run.status ?? 1;
});
