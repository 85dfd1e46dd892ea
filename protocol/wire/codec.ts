// Text frames to envelopes and back: NDJSON, sizes, depth. Faults are values; nothing here throws for bad input.
// The checks run from cheap to dear, so that a hostile frame costs little: bytes, lines, JSON, depth, schema.
import type { z } from "zod";
import {
  type BrokerEnvelope,
  brokerEnvelopes,
  type ClientEnvelope,
  clientEnvelopes,
  type WorkType,
} from "./envelope.ts";
import { type ErrorBody, type ErrorReason, errorBody } from "./errors.ts";
import { type AgentId, isUuid, type Uuid } from "./ids.ts";
import { limits } from "./limits.ts";
import { isPlainMessage } from "./plain.ts";

/** What is wrong with one line (or the whole frame), with the ids that could be read from it. */
export interface Fault {
  reason: ErrorReason;
  id?: string;
  session_id?: string;
  issues?: { path: string; message: string }[];
}

export type Decoded<E> = { ok: true; envelope: E } | { ok: false; fault: Fault };

/** UTF-8 length of a string, in bytes. Lone surrogates count as the three bytes they are replaced by. */
export function utf8Length(text: string): number {
  // Most text is ASCII, and this search is twice as fast as the count.
  if (!/[\u0080-\uffff]/.test(text)) return text.length;
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}

const longerThan = (text: string, bytes: number): boolean =>
  text.length > bytes || (text.length * 3 > bytes && utf8Length(text) > bytes);

/** Why a value could not be passed on as it came: nested beyond so many levels, or with a number that no double holds (E4). */
function misfit(value: unknown, levels: number): "too_deep" | "number" | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "number";
  if (typeof value !== "object" || value === null) return undefined;
  if (levels === 0) return "too_deep";
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    const found = misfit(item, levels - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

const hugeNumber = [{ path: "", message: "a number beyond ±1.8e308: write it as a string" }];

/**
 * The lines of a frame, or why the frame as a whole is refused (F1–F3).
 * One trailing line break is allowed; an empty line is a bad envelope.
 */
export function splitFrame(text: string): { ok: true; lines: string[] } | { ok: false; fault: Fault } {
  if (longerThan(text, limits.frameBytesMax)) return { ok: false, fault: { reason: "frame_too_large" } };
  const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n", limits.frameEnvelopesMax + 1);
  if (lines.length > limits.frameEnvelopesMax) return { ok: false, fault: { reason: "too_many_envelopes" } };
  return { ok: true, lines };
}

const uuidOr = (value: unknown): string | undefined => (isUuid(value) ? value : undefined);

function fault(
  reason: ErrorReason,
  value?: Record<string, unknown>,
  issues?: Fault["issues"],
): { ok: false; fault: Fault } {
  const id = uuidOr(value?.id);
  const session_id = uuidOr(value?.session_id);
  return {
    ok: false,
    fault: { reason, ...(id && { id }), ...(session_id && { session_id }), ...(issues && { issues }) },
  };
}

/** The JSON object that a line is, or undefined. */
function objectIn(line: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

/** One line to a JSON object, checked for size and depth but for no schema. */
export function parseLine(line: string): { ok: true; value: Record<string, unknown> } | { ok: false; fault: Fault } {
  if (longerThan(line, limits.envelopeBytesMax)) return fault("envelope_too_large");
  const value = objectIn(line);
  return value === undefined ? fault("invalid_json") : { ok: true, value };
}

function conform<T extends Record<string, z.ZodType>>(
  table: T,
  otherWay: Record<string, unknown>,
  value: Record<string, unknown>,
): Decoded<z.infer<T[keyof T]>> {
  const type = value.type;
  if (typeof type !== "string" || !Object.hasOwn(table, type)) {
    return fault(typeof type === "string" && Object.hasOwn(otherWay, type) ? "wrong_direction" : "unknown_type", value);
  }
  const unfit = misfit(value, limits.depthMax);
  if (unfit !== undefined) {
    return unfit === "too_deep" ? fault(unfit, value) : fault("invalid_envelope", value, hugeNumber);
  }
  if (isPlainMessage(value)) return { ok: true, envelope: value as z.infer<T[keyof T]> };
  const schema = table[type as keyof T];
  const parsed = schema?.safeParse(value);
  if (parsed?.success) return { ok: true, envelope: parsed.data as z.infer<T[keyof T]> };
  const issues = parsed?.error.issues
    .slice(0, 8)
    .map((issue) => ({ path: issue.path.map(String).join("."), message: issue.message }));
  return fault("invalid_envelope", value, issues);
}

/** One JSON object, as an envelope from an agent. */
export const conformClient = (value: Record<string, unknown>): Decoded<ClientEnvelope> =>
  conform(clientEnvelopes, brokerEnvelopes, value);

/** One line, as an envelope from an agent. */
export function decodeClientLine(line: string): Decoded<ClientEnvelope> {
  const parsed = parseLine(line);
  return parsed.ok ? conformClient(parsed.value) : parsed;
}

/**
 * A frame from the broker. Sizes are not checked: the broker's frames are a little longer than what agents sent (it stamps
 * `from` and `seq`), and a client trusts its broker to bound them (at most 1 MiB).
 */
export function decodeBrokerFrame(text: string): Decoded<BrokerEnvelope>[] {
  return text.split("\n").map((line) => {
    const value = objectIn(line);
    return value === undefined ? fault("invalid_json") : conform(brokerEnvelopes, clientEnvelopes, value);
  });
}

/** An envelope as the line that crosses the wire. `JSON.stringify` never leaves a raw line break in it. */
export const encode = (envelope: BrokerEnvelope | ClientEnvelope): string => JSON.stringify(envelope);

/** What a line of work says before its `data`. */
export interface WorkHead {
  type: WorkType;
  id: Uuid;
  session_id: Uuid;
  seq: number;
  from?: AgentId | undefined;
  in_reply_to?: Uuid | undefined;
  timestamp?: string | undefined;
  traceparent?: string | undefined;
}

/**
 * A line of work: a head, and `data` as JSON text. Every message passes here twice, so JSON is asked only where it must be: no name
 * has a character that it would escape (E2).
 */
export function encodeWork(head: WorkHead, data: string): string {
  const { type, id, session_id, seq, from, in_reply_to, timestamp, traceparent } = head;
  let line = `{"type":"${type}","id":"${id}","session_id":"${session_id}","seq":${seq}`;
  if (from !== undefined) line += `,"from":"${from}"`;
  if (in_reply_to !== undefined) line += `,"in_reply_to":"${in_reply_to}"`;
  if (timestamp !== undefined) line += `,"timestamp":${JSON.stringify(timestamp)}`;
  if (traceparent !== undefined) line += `,"traceparent":${JSON.stringify(traceparent)}`;
  return `${line},"data":${data}}`;
}

/** Lines to as few frames as the limits allow (F2, F3). Sizes are judged at three bytes a character: never too large. */
export function packFrames(lines: readonly string[]): string[] {
  const frames: string[] = [];
  let frame: string[] = [];
  let bytes = 0;
  for (const line of lines) {
    const size = line.length * 3 + 1;
    if (frame.length > 0 && (frame.length === limits.frameEnvelopesMax || bytes + size > limits.frameBytesMax)) {
      frames.push(frame.join("\n"));
      frame = [];
      bytes = 0;
    }
    frame.push(line);
    bytes += size;
  }
  if (frame.length > 0) frames.push(frame.join("\n"));
  return frames;
}

/** The ERROR line for a fault: without an id of its own, `in_reply_to` names what it answers (X2). */
export function errorLine(fault: Fault, more?: object): string {
  const data: ErrorBody = errorBody(fault.reason, { ...(fault.issues && { issues: fault.issues }), ...more });
  return JSON.stringify({
    type: "ERROR",
    ...(fault.session_id && { session_id: fault.session_id }),
    ...(fault.id && { in_reply_to: fault.id }),
    data,
  });
}
