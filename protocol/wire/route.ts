// Sorts the lines of an agent's frame by where they go, reading no more than that needs. The relay lives by it: lines of a
// session pass undecoded (the session decodes them), everything else is decoded here. Pure; faults are values.
import { conformClient, decodeClientLine, type Fault, parseLine, splitFrame } from "./codec.ts";
import { type ClientEnvelope, isSessionType } from "./envelope.ts";
import { isUuid, type Uuid } from "./ids.ts";
import { limits } from "./limits.ts";

/** Lines of one session, in order. */
export interface SessionLines {
  to: "session";
  session_id: Uuid;
  lines: string[];
  /** A SESSION_INIT or SESSION_ACCEPT is among them. */
  opens: boolean;
  /** The agent that a SESSION_INIT among them names. */
  peer?: string;
  /** A SESSION_INIT among them names no agent: this is what the agent must be able to do. */
  seeks?: { id: Uuid; capability: string };
}

export type Step =
  | SessionLines
  /** An envelope for the connection itself. */
  | { to: "connection"; envelope: ClientEnvelope }
  | { to: "sender"; fault: Fault };

/** The steps of a frame, in the order in which its parts first appear. A frame refused as a whole is one fault. */
export function routeFrame(text: string): Step[] {
  const frame = splitFrame(text);
  if (!frame.ok) return [{ to: "sender", fault: frame.fault }];
  const steps: Step[] = [];
  const sessions = new Map<string, SessionLines>();
  let faults = 0;
  let alive = false;
  for (const line of frame.lines) {
    const parsed = parseLine(line);
    if (!parsed.ok) {
      steps.push({ to: "sender", fault: parsed.fault });
      if (++faults > limits.frameFaultsMax) return [...steps, { to: "sender", fault: { reason: "too_many_faults" } }];
      continue;
    }
    const { type, session_id } = parsed.value;
    if (isSessionType(type) && isUuid(session_id)) {
      let step = sessions.get(session_id);
      if (step === undefined) {
        step = { to: "session", session_id, lines: [], opens: false };
        sessions.set(session_id, step);
        steps.push(step);
      }
      step.lines.push(line);
      step.opens ||= type === "SESSION_INIT" || type === "SESSION_ACCEPT";
      if (type === "SESSION_INIT") Object.assign(step, partyOf(line));
      continue;
    }
    const decoded = conformClient(parsed.value);
    if (!decoded.ok) {
      steps.push({ to: "sender", fault: decoded.fault });
      if (++faults > limits.frameFaultsMax) return [...steps, { to: "sender", fault: { reason: "too_many_faults" } }];
      continue;
    }
    // One answer to however many heartbeats of a frame: they all ask the same.
    if (decoded.envelope.type === "HEARTBEAT" && alive) continue;
    alive ||= decoded.envelope.type === "HEARTBEAT";
    steps.push({ to: "connection", envelope: decoded.envelope });
  }
  return steps;
}

/** Whether a SESSION_INIT is among the lines: it costs the registry something. */
export const opensSession = ({ peer, seeks }: SessionLines): boolean => peer !== undefined || seeks !== undefined;

/** One that cannot be read seeks nobody: the session says what is wrong with it. */
function partyOf(line: string): Pick<SessionLines, "peer" | "seeks"> {
  const decoded = decodeClientLine(line);
  if (!decoded.ok || decoded.envelope.type !== "SESSION_INIT") return {};
  const { id, to, data } = decoded.envelope;
  if (to !== undefined) return { peer: to };
  return data.capability === undefined ? {} : { seeks: { id, capability: data.capability } };
}

/** The lines with `to` in every SESSION_INIT that named nobody. */
export const addressedTo = (lines: readonly string[], to: string): string[] =>
  lines.map((line) => {
    const envelope = JSON.parse(line);
    return envelope.type === "SESSION_INIT" && envelope.to === undefined ? JSON.stringify({ ...envelope, to }) : line;
  });
