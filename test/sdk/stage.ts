// A broker for the tests of the SDKs in other languages: it does what they ask, one JSON object a line, until its input ends.
//   {"do":"certify","agent":ID}          → {"url","ca","certificate","key","fingerprint"}: files of an agent that may connect
//   {"do":"issue","as":KIND}             → {"certificate","key"}: PEM text. KIND is server (for localhost), stranger (another CA's
//                                           agent), expired, or unregistered
//   {"do":"shortLived","agent":ID,"lifeMs":N} → {"url","ca","certificate","key","fingerprint"}: a registered agent's; certificate and key
//                                           are PEM text
//   {"do":"cut","agent":ID,"path":REGEXP} → {"cut":N}: its connections whose path matches are broken, as by a failing network
//   {"do":"paths","agent":ID}            → {"paths":[…]}: of its open WebSockets
//   {"do":"workerd"}                     → {"pid":N}: to be killed or stopped by whoever asks
//   {"do":"administer","method","path","body"?} → {"status","body"}: of the HTTP API
// An answer is a line that begins with `stage `: the broker may say something, too. When it is ready it says {}.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startBroker } from "../../scripts/broker/broker.ts";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { certifyAgent, operatorOf } from "../../scripts/certificates/certify.ts";

type Ask =
  | { do: "certify"; agent: string }
  | { do: "issue"; as: "server" | "stranger" | "expired" | "unregistered" }
  | { do: "shortLived"; agent: string; lifeMs: number }
  | { do: "cut"; agent: string; path: string }
  | { do: "paths"; agent: string }
  | { do: "workerd" }
  | { do: "administer"; method: string; path: string; body?: object };

const dayMs = 24 * 60 * 60 * 1000;
const folder = await mkdtemp(join(tmpdir(), "agentworks-stage-"));
const broker = await startBroker({ stateDir: join(folder, "state") });

async function answer(ask: Ask): Promise<object> {
  switch (ask.do) {
    case "certify": {
      const { agentsUrl, caFile, certificateFile, keyFile, fingerprint } = await certifyAgent({
        stateDir: broker.stateDir,
        agentId: ask.agent,
      });
      return { url: agentsUrl, ca: caFile, certificate: certificateFile, key: keyFile, fingerprint };
    }
    case "issue":
      return issue(ask.as);
    case "shortLived": {
      const now = Date.now();
      // A certificate's times are whole seconds.
      const validity = { notBefore: new Date(now - 1000), notAfter: new Date(now + ask.lifeMs) };
      const { certificate, key } = await broker.authority.issueAgent(ask.agent, validity);
      const body = { agent_id: ask.agent, certificate };
      const { fingerprint } = await operatorOf(broker).request("POST /v1/certificates", { body });
      return { url: broker.agentsUrl, ca: broker.caFile, certificate, key, fingerprint };
    }
    case "cut":
      return { cut: await broker.edge.cut({ commonName: ask.agent, path: new RegExp(ask.path) }) };
    case "paths": {
      const open = await broker.edge.connections({ commonName: ask.agent, upgraded: true });
      return { paths: open.map(({ path }) => path) };
    }
    case "workerd":
      return { pid: broker.workerdPid() };
    case "administer": {
      const headers = { authorization: `Bearer ${broker.adminToken}`, "content-type": "application/json" };
      const { method, body } = ask;
      const url = new URL(ask.path, broker.apiUrl);
      const response = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      return { status: response.status, body: await response.json() };
    }
  }
}

async function issue(as: "server" | "stranger" | "expired" | "unregistered"): Promise<object> {
  if (as === "server") return broker.authority.issueServer();
  if (as === "stranger") return (await openAuthority(await mkdtemp(join(folder, "stranger-")))).issueAgent("planner");
  const past = { notBefore: new Date(Date.now() - 2 * dayMs), notAfter: new Date(Date.now() - dayMs) };
  return broker.authority.issueAgent("planner", as === "expired" ? past : undefined);
}

const say = (answered: object) => console.log(`stage ${JSON.stringify(answered)}`);

try {
  say({});
  for await (const line of createInterface({ input: process.stdin })) {
    say(await answer(JSON.parse(line)));
  }
} finally {
  await broker.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
// Miniflare keeps handles open for a while after its end; there is nothing left to wait for.
process.exit();
