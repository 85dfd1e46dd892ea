// The smallest agent: it counts words. `npx agentworks agent run` says who it is (README, "Twenty lines").
import { connect, fromEnvironment } from "../../sdk/typescript/src/index.ts";

const counter = await connect(fromEnvironment());
await counter.handle("count", (text) => String(text).split(/\s+/).length);
console.error(`${counter.id} counts`);
