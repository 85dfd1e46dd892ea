// Frames to envelopes for a session: decoding, and the rules that need to know who sends. Faults become ERROR lines here.
import { decodeClientLine, errorLine, splitFrame } from "../protocol/wire/codec.ts";
import { type ClientEnvelope, isSessionType, type SessionEnvelope } from "../protocol/wire/envelope.ts";
import { closeCodeOf, type ErrorReason } from "../protocol/wire/errors.ts";
import { limits } from "../protocol/wire/limits.ts";

export interface Read {
  envelopes: SessionEnvelope[];
  /** ERROR lines for what could not be taken. */
  faults: string[];
  /** The socket must be closed with this code after the faults are said. */
  close?: number;
}

const about = (envelope: ClientEnvelope) => ({
  ...("id" in envelope && envelope.id !== undefined && { id: envelope.id }),
  ...("session_id" in envelope && envelope.session_id !== undefined && { session_id: envelope.session_id }),
});

/** Lines that an `AgentObject` relayed: their frame was split, and each was seen to belong to this session. */
export function decodeRelayed(text: string, agent: string): Read {
  const read: Read = { envelopes: [], faults: [] };
  for (const line of text.split("\n")) if (!take(read, line, agent, () => undefined)) break;
  return read;
}

const onDirect: ReadonlySet<string> = new Set(["SESSION_INIT", "SESSION_ACCEPT", "SESSION_REJECT"]);

/** A frame of a direct socket: work, receipts and RESUME of the one session it was opened for (A4). */
export function decodeDirect(message: string | ArrayBuffer, agent: string, session_id: string | undefined): Read {
  const read: Read = { envelopes: [], faults: [] };
  if (typeof message !== "string") return { ...read, faults: [errorLine({ reason: "binary_frame" })] };
  const frame = splitFrame(message);
  if (!frame.ok) {
    const close = closeCodeOf(frame.fault.reason);
    return { ...read, faults: [errorLine(frame.fault)], ...(close !== undefined && { close }) };
  }
  for (const line of frame.lines) {
    const taken = take(read, line, agent, (envelope) => {
      if (envelope.type === "HEARTBEAT") return undefined;
      if (!isSessionType(envelope.type) || onDirect.has(envelope.type)) return "not_on_direct";
      return "session_id" in envelope && envelope.session_id === session_id ? undefined : "session_unknown";
    });
    if (!taken) break;
  }
  return read;
}

const alive = '{"type":"HEARTBEAT_ACK"}';

/** Takes one line. False when the frame has had its share of bad ones (L24): the rest of it is not read. */
function take(
  read: Read,
  line: string,
  agent: string,
  refuse: (envelope: ClientEnvelope) => ErrorReason | undefined,
): boolean {
  const decoded = decodeClientLine(line);
  if (!decoded.ok) return refused(read, errorLine(decoded.fault));
  const { envelope } = decoded;
  const claimed = "from" in envelope ? envelope.from : undefined;
  const reason = claimed !== undefined && claimed !== agent ? "from_mismatch" : refuse(envelope);
  if (reason !== undefined) return refused(read, errorLine({ reason, ...about(envelope) }));
  if (envelope.type !== "HEARTBEAT") read.envelopes.push(envelope as SessionEnvelope);
  // One answer to however many heartbeats of a frame: they all ask the same.
  else if (!read.faults.includes(alive)) read.faults.push(alive);
  return true;
}

function refused(read: Read, error: string): boolean {
  read.faults.push(error);
  if (read.faults.length <= limits.frameFaultsMax) return true;
  read.faults.push(errorLine({ reason: "too_many_faults" }));
  const close = closeCodeOf("too_many_faults");
  if (close !== undefined) read.close = close;
  return false;
}
