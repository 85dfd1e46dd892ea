// Every scenario, in the order in which they are played.
import { failures } from "./failures.ts";
import type { Scenario } from "./scenario.ts";
import { sessions } from "./sessions.ts";
import { streams } from "./streams.ts";
import { taskScenarios } from "./tasks.ts";

export const scenarios: readonly Scenario[] = [...sessions, ...taskScenarios, ...streams, ...failures];
