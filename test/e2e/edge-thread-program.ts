// A process with an edge whose thread fails once it listens: `edge-thread-program.ts FOLDER throws|ends`.

import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { startEdge } from "../../scripts/edge/edge.ts";

const [dir = "", how] = process.argv.slice(2);
const authority = await openAuthority(dir);
const started = once(process, "worker");
await startEdge({
  agentsPort: 0,
  apiPort: 0,
  secret: "secret",
  server: await authority.issueServer(),
  clientCas: [authority.certificate],
});
console.log("listens");
const [thread] = (await started) as [Worker];
// No message of ours: reading it throws.
if (how === "throws") thread.postMessage(null);
else void thread.terminate();
