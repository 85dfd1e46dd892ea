// Names on the wire: their shapes, and UUIDv7 made from time and dice that the caller brings (the core has neither).
import { z } from "zod";

const agentId = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** An agent: 1–64 of lower-case letters, digits, `.`, `_`, `-`; it starts with a letter or digit. Unique in its account. */
export const AgentId = z.string().regex(agentId, "1–64 of a–z 0–9 . _ - and it starts with a letter or digit");
export type AgentId = z.infer<typeof AgentId>;
export const isAgentId = (value: unknown): value is AgentId => typeof value === "string" && agentId.test(value);

/** A capability: the same alphabet, up to 128 characters. */
export const CapabilityName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/, "1–128 of a–z 0–9 . _ - and it starts with a letter or digit");

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** Envelopes, sessions and tasks are named by UUIDs of the originator's making; UUIDv7 (RFC 9562), lower case. */
export const Uuid = z.string().regex(uuid, "a lower-case UUID, version 7");
export type Uuid = z.infer<typeof Uuid>;
export const isUuid = (value: unknown): value is Uuid => typeof value === "string" && uuid.test(value);

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * UUIDv7 (RFC 9562 §5.7) of a time and of random bytes.
 * @param nowMs milliseconds since the epoch
 * @param random at least 10 bytes of good dice, from `offset` on
 */
export function uuidv7(nowMs: number, random: Uint8Array, offset = 0): Uuid {
  const r = (i: number) => random[offset + i] ?? 0;
  const h = (byte: number) => hex[byte & 255];
  const high = Math.floor(nowMs / 0x1_0000);
  return (
    `${h(high / 0x1_00_00_00)}${h(high >>> 16)}${h(high >>> 8)}${h(high)}-${h((nowMs % 0x1_0000) >>> 8)}${h(nowMs % 0x1_00)}-` +
    `${h(0x70 | (r(0) & 15))}${h(r(1))}-${h(0x80 | (r(2) & 63))}${h(r(3))}-${h(r(4))}${h(r(5))}${h(r(6))}${h(r(7))}${h(r(8))}${h(r(9))}`
  );
}
