// A broker for the tests of the SDKs in other languages: it does what they ask, one JSON object a line, until its input ends.
//   {"do":"certify","agent":ID}          → {"url","ca","certificate","key"}: files of an agent that may connect
//   {"do":"cut","agent":ID,"path":TEXT}  → {"cut":N}: its connections whose path has TEXT in it are broken, as by a failing network
//   {"do":"paths","agent":ID}            → {"paths":[…]}: of its open WebSockets
//   {"do":"workerd"}                     → {"pid":N}: to be killed or stopped by whoever asks
//   {"do":"admin"}                       → {"url","token"}: the HTTP API
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startBroker } from "../../scripts/broker/broker.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";

interface Ask {
  do: "certify" | "cut" | "paths" | "workerd" | "admin";
  agent?: string;
  path?: string;
}

const folder = await mkdtemp(join(tmpdir(), "agentworks-stage-"));
const broker = await startBroker({ stateDir: join(folder, "state") });

async function answer({ do: what, agent = "", path = "" }: Ask): Promise<object> {
  switch (what) {
    case "certify": {
      const { agentsUrl, caFile, certificateFile, keyFile } = await certifyAgent({
        stateDir: broker.stateDir,
        agentId: agent,
      });
      return { url: agentsUrl, ca: caFile, certificate: certificateFile, key: keyFile };
    }
    case "cut":
      return { cut: broker.edge.cut(({ commonName, path: its }) => commonName === agent && its.includes(path)) };
    case "paths": {
      const open = broker.edge.connections().filter(({ commonName, upgraded }) => upgraded && commonName === agent);
      return { paths: open.map(({ path: its }) => its) };
    }
    case "workerd":
      return { pid: broker.workerdPid() };
    case "admin":
      return { url: broker.apiUrl, token: broker.adminToken };
  }
}

try {
  console.log("{}");
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
} finally {
  await broker.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
// Miniflare keeps handles open for a while after its end; there is nothing left to wait for.
process.exit();
