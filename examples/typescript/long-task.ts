// A task that takes its time: it tells how far it is, and stops when nobody wants it any more. Needs a running broker
// (npm start) and two certified agents:
//
//   npx agentworks agent create planner
//   npx agentworks agent create analyst
//   node examples/typescript/long-task.ts
import { setTimeout as sleep } from "node:timers/promises";
import { connect, TaskCancelled } from "../../sdk/typescript/src/index.ts";

const connectAs = (agent: string) =>
  connect({
    url: process.env.AGENTWORKS_URL ?? "wss://localhost:8443",
    caFile: ".agentworks/ca.pem",
    certFile: `.agentworks/agents/${agent}/cert.pem`,
    keyFile: `.agentworks/agents/${agent}/key.pem`,
  });

interface Step {
  round: number;
  of: number;
}

await using analyst = await connectAs("analyst");
await using planner = await connectAs("planner");

await analyst.handle("train", async (plan, task) => {
  const { rounds } = plan as { rounds: number };
  for (let round = 1; round <= rounds; round++) {
    if (task.signal.aborted) {
      console.log(`  (the trainer cleans up after round ${round - 1})`);
      throw task.signal.reason;
    }
    await sleep(50);
    await task.progress({ round, of: rounds });
  }
  return { rounds };
});

const session = await planner.open("analyst");
const short = session.request<{ rounds: number }, Step>("train", { rounds: 5 });
for await (const { round, of } of short.progress) console.log(`round ${round} of ${of}`);
console.log("result:", JSON.stringify(await short.result));

const long = session.request<unknown, Step>("train", { rounds: 1_000 }, { deadlineMs: 15 * 60 * 1000 });
for await (const { round, of } of long.progress) {
  console.log(`round ${round} of ${of}`);
  if (round === 3) long.cancel("it is good enough");
}
await long.result.catch((error: unknown) => {
  if (!(error instanceof TaskCancelled)) throw error;
  console.log("cancelled");
});
