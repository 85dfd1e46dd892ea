// Both ends of one task, in twenty lines (README, "Twenty lines"). Needs a running broker and two certified agents.
import { connect } from "../../sdk/typescript/src/index.ts";

const credentials = (agent: string) => ({
  url: "wss://localhost:8443",
  caFile: ".agentworks/ca.pem",
  certFile: `.agentworks/agents/${agent}/cert.pem`,
  keyFile: `.agentworks/agents/${agent}/key.pem`,
});

const analyst = await connect(credentials("analyst"));
await analyst.handle("count", async (text, task) => {
  await task.progress("counting");
  return String(text).split(/\s+/).length;
});

const planner = await connect(credentials("planner"));
const session = await planner.open("analyst");
const task = session.request("count", "nothing that was acknowledged is ever lost");
for await (const progress of task.progress) console.log(progress);
console.log(await task.result, "words");
await Promise.all([planner.drain(), analyst.drain()]);
