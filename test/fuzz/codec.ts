// The codec under fuzz: whatever a frame is, each of its lines becomes an envelope or a fault of the table, and all ways of
// reading it agree.
import {
  conformClient,
  decodeBrokerFrame,
  decodeClientLine,
  encode,
  errorLine,
  type Fault,
  packFrames,
  parseLine,
  splitFrame,
  utf8Length,
} from "../../protocol/wire/codec.ts";
import { isSessionType } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { routeFrame, type Step } from "../../protocol/wire/route.ts";
import { type Frame, frameOf, textOfFrame } from "./frames.ts";
import { errorCharsMax, judgeFault, judgeFrame, must } from "./oracle.ts";
import { brokerSamples, clientSamples, type Moment } from "./samples.ts";
import type { Ran, Target } from "./target.ts";

const samples = { ...brokerSamples, ...clientSamples };

export const anywhere = (): Moment => ({
  session_id: "01a1ee56-5e03-7d6d-8b67-4159af431525",
  epoch: "6f1b0c52-8a3e-4f0e-9d55-b1c0ffee0001",
  me: "planner",
  peer: "analyst",
  next: 1,
  sent: 1,
  id: "",
  task_id: "",
});

function judgeRefusal(fault: Fault): void {
  judgeFault(fault);
  const line = errorLine(fault);
  must(line.length <= errorCharsMax, "an error that is too long", line);
  judgeFrame(line);
}

/** The same JSON value (E4). Only numbers beyond a double change: JSON has no word for them, and they become null. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) {
    return a === b || (typeof a === "number" && !Number.isFinite(a));
  }
  const [names, others] = [Object.keys(a), Object.keys(b)];
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return (
    names.length === others.length && names.every((name) => Object.hasOwn(right, name) && same(left[name], right[name]))
  );
}

/** What is the application's own, in any envelope (E4). */
const own = ["content", "input", "progress", "result", "metadata"];

function judgeLine(line: string): void {
  const parsed = parseLine(line);
  const decoded = decodeClientLine(line);
  if (!parsed.ok) {
    must(!decoded.ok && decoded.fault.reason === parsed.fault.reason, "two readings of one line", line);
    return judgeRefusal(parsed.fault);
  }
  const conforming = conformClient(parsed.value);
  must(conforming.ok === decoded.ok, "two readings of one line", line);
  if (!conforming.ok) return judgeRefusal(conforming.fault);
  const { envelope } = conforming;
  const given = parsed.value.data as Record<string, unknown> | undefined;
  const taken = "data" in envelope ? (envelope.data as Record<string, unknown>) : {};
  for (const name of own) {
    if (name in taken)
      must(same(given?.[name], JSON.parse(JSON.stringify(taken[name] ?? null))), `${name} was changed`, line);
  }
  const capabilities = (value: unknown) => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []);
  for (const [i, capability] of capabilities(taken.capabilities).entries()) {
    for (const name of ["input_schema", "output_schema"]) {
      const schema = capabilities(given?.capabilities)[i]?.[name];
      must(same(schema, capability[name]), `${name} was changed`, line);
    }
  }
  const again = decodeClientLine(encode(envelope));
  const isSame = again.ok && encode(again.envelope) === encode(envelope);
  // What was within the limits as it was written may be beyond them as we would write it (1e3 becomes 1000).
  must(isSame || encode(envelope).length > line.length, "an envelope that cannot be read again", line);
}

function isHeartbeat(line: string): boolean {
  const decoded = decodeClientLine(line);
  return decoded.ok && decoded.envelope.type === "HEARTBEAT";
}

function judgeRoute(steps: Step[], lines: readonly string[]): void {
  let found = 0;
  for (const step of steps) {
    if (step.to === "sender") judgeRefusal(step.fault);
    found += step.to === "session" ? step.lines.length : 1;
    if (step.to !== "session") continue;
    const opens = (line: string) => /^SESSION_(INIT|ACCEPT)$/.test(JSON.parse(line).type);
    must(step.opens === step.lines.some(opens), "a route that opens nothing");
    for (const line of step.lines) must(isSessionType(JSON.parse(line).type), "a line that is no session's", line);
  }
  const last = steps.at(-1);
  if (last?.to === "sender" && last.fault.reason === "too_many_faults") {
    const faults = steps.filter((step) => step.to === "sender").length;
    return must(faults === limits.frameFaultsMax + 2, "a frame that was given up too early or too late");
  }
  // Heartbeats of one frame are one question (F9).
  const heartbeats = lines.filter((line) => isHeartbeat(line)).length;
  must(found === lines.length - Math.max(0, heartbeats - 1), "a line that was lost on its route");
}

export function judgeText(text: string): void {
  must(utf8Length(text) === new TextEncoder().encode(text).length, "bytes that were counted wrong", text);
  const frame = splitFrame(text);
  const steps = routeFrame(text);
  if (frame.ok) {
    must(frame.lines.length >= 1 && frame.lines.length <= limits.frameEnvelopesMax, "a frame of too many lines");
    for (const line of frame.lines) judgeLine(line);
    judgeRoute(steps, frame.lines);
    const packed = packFrames(frame.lines);
    must(packed.join("\n") === frame.lines.join("\n"), "lines that were packed wrong", text);
    for (const one of packed) must(splitFrame(one).ok, "a frame that was packed too full", one);
  } else {
    const [step] = steps;
    must(steps.length === 1 && step?.to === "sender", "a refused frame that was routed", text);
    judgeRefusal(frame.fault);
  }
  for (const decoded of decodeBrokerFrame(text)) if (!decoded.ok) judgeFault(decoded.fault);
}

export const codec: Target<Frame> = {
  cases: frameOf(Object.keys(samples)),
  run(frame): Ran {
    const text = textOfFrame(frame, samples, anywhere());
    judgeText(text);
    return { inputs: 1, chars: text.length };
  },
  show: (frame) => [textOfFrame(frame, samples, anywhere())],
};
