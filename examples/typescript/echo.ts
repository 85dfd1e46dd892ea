// Messages between two agents: stored, delivered, answered. Needs a running broker (npm start) and two certified agents:
//
//   npx agentworks agent create planner
//   npx agentworks agent create analyst
//   node examples/typescript/echo.ts
import { connect } from "../../sdk/typescript/src/index.ts";

const connectAs = (agent: string) =>
  connect({
    url: process.env.AGENTWORKS_URL ?? "wss://localhost:8443",
    caFile: ".agentworks/ca.pem",
    certFile: `.agentworks/agents/${agent}/cert.pem`,
    keyFile: `.agentworks/agents/${agent}/key.pem`,
  });

await using analyst = await connectAs("analyst");
await using planner = await connectAs("planner");

async function echo(): Promise<void> {
  for await (const session of analyst.sessions()) {
    for await (const { content } of session.messages()) await session.send({ echo: content });
  }
}
void echo();

const session = await planner.open("analyst");
const answers = session.messages();
for (const text of ["hello", "nothing that was acknowledged is ever lost"]) {
  const receipt = await session.send(text);
  console.log(`stored as number ${receipt.seq}: ${text}`);
  await receipt.delivered;
  const { value } = await answers.next();
  console.log("delivered, and answered:", JSON.stringify(value?.content));
}
