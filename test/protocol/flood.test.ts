// Frames that are mostly rubbish: the answer stays small, whatever comes.
import { expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { routeFrame } from "../../protocol/wire/route.ts";

it("[F9, L24] a frame of bad lines is read until there are too many of them", () => {
  const steps = routeFrame(Array(limits.frameEnvelopesMax).fill("{}").join("\n"));
  const reasons = steps.map((step) => (step.to === "sender" ? step.fault.reason : step.to));
  expect(reasons).toHaveLength(limits.frameFaultsMax + 2);
  expect(reasons.at(-1)).toBe("too_many_faults");
  expect(routeFrame(Array(limits.frameFaultsMax).fill("{}").join("\n"))).toHaveLength(limits.frameFaultsMax);
  expect(limits.frameFaultsMax).toBe(16);
});

it("[F9] the heartbeats of a frame are answered once", () => {
  expect(routeFrame(Array(200).fill('{"type":"HEARTBEAT"}').join("\n"))).toHaveLength(1);
});
