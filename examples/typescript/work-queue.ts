// Several workers behind one capability: the broker gives each job to one that is connected and has room. Start as many workers
// as you like, and kill one while it works: with its journal, it goes on with the job when it is started again. Needs a running
// broker (npm start):
//
//   npx agentworks agent create worker-1      # and worker-2 …, and planner
//   node examples/typescript/work-queue.ts work worker-1
//   node examples/typescript/work-queue.ts submit planner 20
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../sdk/typescript/src/index.ts";

const capability = "count-words";
const dayMs = 24 * 60 * 60 * 1000;

const connectAs = (agent: string) =>
  connect({
    url: process.env.AGENTWORKS_URL ?? "wss://localhost:8443",
    caFile: ".agentworks/ca.pem",
    certFile: `.agentworks/agents/${agent}/cert.pem`,
    keyFile: `.agentworks/agents/${agent}/key.pem`,
    journal: `.agentworks/agents/${agent}/journal`,
  });

async function work(name: string): Promise<void> {
  await using agent = await connectAs(name);
  const countWords = async (text: unknown, { redelivered }: { redelivered: boolean }) => {
    console.log(`${name} counts${redelivered ? " again" : ""}: ${text}`);
    await sleep(200);
    return String(text).trim().split(/\s+/).length;
  };
  await agent.handle(capability, countWords, { max_concurrency: 2 });
  console.log(`${name} works (Ctrl-C stops it)`);
  await once(process, "SIGINT");
}

async function submit(name: string, count: number): Promise<void> {
  await using agent = await connectAs(name);
  const job = async (number: number) => {
    // Waits for room, for as long as it takes: nobody is asked for more than it can do.
    const session = await agent.open({ capability }, { waitMs: dayMs });
    const words = await session.request(capability, "word ".repeat(number), { deadlineMs: 60_000 }).result;
    console.log(`job ${number}: ${words} words, counted by ${session.peer}`);
    await session.close();
  };
  await Promise.all(Array.from({ length: count }, (_, i) => job(i + 1)));
}

const [does, name = "", count] = process.argv.slice(2);
if (does === "work" && name !== "") await work(name);
else if (does === "submit" && Number(count) > 0) await submit(name, Number(count));
else console.error("work-queue.ts work AGENT | submit AGENT COUNT");
process.exit();
