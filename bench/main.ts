// npm run bench: how fast, how well in company, how dear. Each section is a file of its own; this one puts them together.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "../scripts/broker/broker.ts";
import { portOf, readCommandLine } from "../scripts/command-line.ts";
import { Failure, runCommand } from "../scripts/failure.ts";
import { billsOf, billTable } from "./bill.ts";
import { costJson, countCost } from "./cost.ts";
import { type Crowd, measureCrowd } from "./crowd.ts";
import { missing } from "./peers/index.ts";
import { measureResume } from "./resume.ts";
import { measureRevocation, revocationText } from "./revocation.ts";
import { measureSdks, sdkTable } from "./sdks.ts";
import { measureSpeed, speedJson, speedTable } from "./speed.ts";

const usage = `Usage: npm run bench -- [--rounds N] [--peers] [--sdk] [--revocation] [--json]

Measures agentworks beside a bare Durable Object relay, behind the same mutual TLS edge: 512-byte messages, one sender and one
receiver, with 1, 64 and 256 in flight. Then how long 10,000 messages wait after a cut, what a session notices of 200 others, and
what messages cost: rows, calls, D1 queries, the bill for a million, and what it costs to say nothing.

  --rounds N   rounds per figure, the median counts (default 3)
  --peers      also NATS JetStream, mosquitto and RabbitMQ where they are installed, each over mutual TLS with its own client
  --sdk        only the SDKs beside each other: messages per second and processor time, 256 in flight
  --revocation only how fast a revoked certificate, or a suspended agent, is out: 200 trials among 200 connected agents
  --json       the same as --peers, and prints one JSON object as the last line`;

const tell = (line: string): void => console.error(line);

async function measureLife(state: string): Promise<{ resume10kMs: number; crowd: Crowd }> {
  const broker = await startBroker({ stateDir: join(state, "life") });
  try {
    return { resume10kMs: await measureResume(broker, tell), crowd: await measureCrowd(broker, tell) };
  } finally {
    await broker.close();
  }
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, {
    rounds: { type: "string", default: "3" },
    peers: { type: "boolean" },
    sdk: { type: "boolean" },
    revocation: { type: "boolean" },
    json: { type: "boolean" },
  });
  const rounds = portOf("--rounds", values.rounds);
  if (rounds < 1) throw new Failure("--rounds takes 1 or more.");
  const withPeers = values.peers === true || values.json === true;
  const state = await mkdtemp(join(tmpdir(), "agentworks-bench-"));
  try {
    if (values.sdk) {
      const sdk = await measureSdks(state, rounds, tell);
      console.log(`\n512-byte messages, stored and acknowledged, 256 in flight:\n\n${sdkTable(sdk)}`);
      if (values.json) console.log(`\n${JSON.stringify({ sdk })}`);
      return;
    }
    if (values.revocation) {
      const broker = await startBroker({ stateDir: join(state, "revocation") });
      const measured = await measureRevocation(broker, { agents: 200, trials: 200 }, tell).finally(() =>
        broker.close(),
      );
      console.log(revocationText(measured));
      if (values.json) console.log(JSON.stringify({ revocation: measured }));
      return;
    }
    const report = await measureSpeed({ state, rounds, withPeers, tell });
    const { resume10kMs, crowd } = await measureLife(state);
    const { counted, idle } = await countCost(state);
    const cost = costJson(counted);
    const bill = billsOf(counted);
    console.log(
      `\n512-byte messages over mutual TLS; p50 and p99 from send until the sender knows it acknowledged\n(agentworks: stored, fsync included; the relay: answered by the receiver through the relay)\n`,
    );
    console.log(speedTable(report));
    const lacking = withPeers ? missing() : undefined;
    if (lacking !== undefined) console.log(lacking);
    console.log(
      `\n10,000 messages waiting when the socket is cut: all arrived and acknowledged ${resume10kMs} ms later`,
    );
    console.log(
      `p99 of a session alone ${crowd.aloneP99Ms} ms, beside 200 others at 10 messages a second, all direct, ${crowd.crowdedP99Ms} ms${crowd.ratio === null ? "" : `: × ${crowd.ratio}`}`,
    );
    if (crowd.ratio === null) {
      // The other figures are printed all the same.
      process.exitCode = 1;
      console.log(
        `This is no ratio to count: of the ${crowd.wantedPerS} messages a second that the 200 send, each in a frame of its own, the broker stored ${crowd.storedPerS}. Close what else runs on this machine, and try again.`,
      );
    }
    console.log(
      `\nrows written per message: ${cost.rowsPerMessage.frame1} in frames of one, ${cost.rowsPerMessage.frame16} in frames of sixteen`,
    );
    console.log(
      `calls to objects per message in frames of one: ${cost.callsPerMessage}; D1 queries per message: ${cost.d1QueriesPerMessage}\n`,
    );
    console.log(`A million messages at Cloudflare's list prices (millions of each):\n\n${billTable(bill)}\n`);
    console.log(
      `Idle for ${idle.seconds} s, both agents and their session connected, ${idle.heartbeats} heartbeats: ${idle.rowsWritten} rows written, ${idle.calls} calls, ${idle.d1Queries} D1 queries; ${idle.hibernated} of 3 objects had hibernated\n`,
    );
    if (values.json) {
      const sessions200P99Ratio = crowd.ratio;
      console.log(JSON.stringify({ ...speedJson(report), resume10kMs, sessions200P99Ratio, ...cost, idle, bill }));
    }
  } finally {
    await rm(state, { recursive: true, force: true });
  }
});
process.exit();
