// Sorts the lines of an agent's frame by where they go, reading no more than that needs. The relay lives by it: lines of a
// session pass undecoded (the session decodes them), everything else is decoded here. Pure; faults are values.
import { conformClient, type Fault, parseLine, splitFrame } from "./codec.ts";
import { type ClientEnvelope, isSessionType } from "./envelope.ts";
import { Uuid } from "./ids.ts";

export type Step =
  /** Lines of one session, in order. `opens`: a SESSION_INIT or SESSION_ACCEPT is among them. */
  | { to: "session"; session_id: Uuid; lines: string[]; opens: boolean }
  /** An envelope for the connection itself. */
  | { to: "connection"; envelope: ClientEnvelope }
  | { to: "sender"; fault: Fault };

/** The steps of a frame, in the order in which its parts first appear. A frame refused as a whole is one fault. */
export function routeFrame(text: string): Step[] {
  const frame = splitFrame(text);
  if (!frame.ok) return [{ to: "sender", fault: frame.fault }];
  const steps: Step[] = [];
  const sessions = new Map<string, Extract<Step, { to: "session" }>>();
  for (const line of frame.lines) {
    const parsed = parseLine(line);
    if (!parsed.ok) {
      steps.push({ to: "sender", fault: parsed.fault });
      continue;
    }
    const { type, session_id } = parsed.value;
    if (isSessionType(type) && typeof session_id === "string" && Uuid.safeParse(session_id).success) {
      let step = sessions.get(session_id);
      if (step === undefined) {
        step = { to: "session", session_id, lines: [], opens: false };
        sessions.set(session_id, step);
        steps.push(step);
      }
      step.lines.push(line);
      step.opens ||= type === "SESSION_INIT" || type === "SESSION_ACCEPT";
      continue;
    }
    const decoded = conformClient(parsed.value);
    steps.push(decoded.ok ? { to: "connection", envelope: decoded.envelope } : { to: "sender", fault: decoded.fault });
  }
  return steps;
}
