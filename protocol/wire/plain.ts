// The envelope that nearly all traffic is, MESSAGE with nothing optional, judged member by member. zod finds the same (a test holds
// the two against each other), and is slow where it may not compile its schemas, as on Workers. What is not plain is zod's.
import type { DeliveredEnvelope } from "./envelope.ts";
import { isAgentId, isUuid } from "./ids.ts";

type Message = Extract<DeliveredEnvelope, { type: "MESSAGE" }>;

/** Whether `data` has a content and nothing beside it. */
function isPlainData(data: unknown): boolean {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return false;
  for (const member in data) if (member !== "content") return false;
  return Object.hasOwn(data, "content");
}

/**
 * Whether the object, just parsed from JSON, is a valid MESSAGE of type, id, session_id, seq, data and perhaps from, and has no member
 * that a schema would drop. False says nothing about whether it is valid. How deep its content is, is not judged.
 */
export function isPlainMessage(value: Record<string, unknown>): value is Message {
  const { type, id, session_id, seq, from, data } = value;
  if (type !== "MESSAGE" || !isUuid(id) || !isUuid(session_id)) return false;
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return false;
  if (from !== undefined && !isAgentId(from)) return false;
  let members = 0;
  for (const _ in value) members++;
  return members === (from === undefined ? 5 : 6) && isPlainData(data);
}
