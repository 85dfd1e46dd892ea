// Prints what wrangler makes of wrangler.toml, as JSON. A program of its own: wrangler keeps well over 100 MiB of the process
// that loads it, and a broker runs for days.

import { join } from "node:path";
import { unstable_readConfig as readConfig } from "wrangler";
import { messageOf } from "../failure.ts";
import { root } from "../sources.ts";

try {
  console.log(JSON.stringify(readConfig({ config: join(root, "wrangler.toml") }, { hideWarnings: true })));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
