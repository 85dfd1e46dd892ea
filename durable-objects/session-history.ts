// What a session's ring still holds, for people who ask: envelopes of both directions in the order in which they were stored.
// Reads only: nothing here writes a row. A page is bounded in envelopes and in the bytes that are read for it.
import type { Progress } from "../protocol/session/direction.ts";
import type { SessionRecord } from "../protocol/session/effects.ts";
import type { Side } from "../protocol/session/tasks.ts";
import { utf8Length } from "../protocol/wire/codec.ts";
import { limits } from "../protocol/wire/limits.ts";
import { bounds } from "../schema/bounds.ts";

/** A session as it is now. Times are epoch milliseconds. */
export interface SessionFacts {
  session_id: string;
  state: SessionRecord["state"];
  initiator: string;
  responder: string;
  /** Why it ended, and what the responder said when it rejected. */
  reason: string | null;
  message: string | null;
  created_at: number;
  /** When the newest work was stored. */
  last_work_at: number | null;
  ended_at: number | null;
  /** One for each direction: the initiator's, the responder's. */
  streams: StreamFacts[];
}

export interface StreamFacts {
  from: string;
  /** Its sender is attached, as far as the session knows. */
  attached: boolean;
  accepted: number;
  delivered: number;
  waiting: number;
  waiting_bytes: number;
}

export function factsOf(
  record: Readonly<SessionRecord>,
  progress: readonly [Progress, Progress],
  lastWorkAt: number | undefined,
): SessionFacts {
  const { session_id, state, agents, ended, created_at } = record;
  return {
    session_id,
    state,
    initiator: agents[0],
    responder: agents[1],
    reason: ended?.reason ?? null,
    message: ended?.message ?? null,
    created_at,
    last_work_at: lastWorkAt ?? null,
    ended_at: ended?.at ?? null,
    streams: ([0, 1] as const).map((side) => ({
      from: agents[side],
      attached: record.attach[side] !== null,
      accepted: progress[side].received,
      delivered: progress[side].delivered,
      waiting: progress[side].waiting,
      waiting_bytes: progress[side].bytes,
    })),
  };
}

/** A stored envelope. `data` is JSON text, and there only when it was asked for. */
export interface HistoryEntry {
  /** Its place: what comes after it is read by this. */
  cursor: string;
  type: string;
  id: string;
  /** In the stream towards its receiver. */
  seq: number;
  /** In the stream of its sender; null where the broker made it. */
  sender_seq: number | null;
  from: string;
  in_reply_to?: string;
  task_id?: string;
  /** UTF-8 bytes of the envelope as it is stored. */
  bytes: number;
  /** When it was stored, epoch milliseconds. */
  at: number;
  /** Its receiver acknowledged it. */
  delivered: boolean;
  data?: string;
}

export interface HistoryPage {
  entries: HistoryEntry[];
  /** There is more: the `after` of the next page. */
  next?: string;
}

export interface HistoryQuery {
  /** The `cursor` of an entry. */
  after?: string | undefined;
  /** Entries, at most. */
  limit: number;
  payloads: boolean;
}

/** version (of the cursors that its row carries: it grows with every event that stores) · stream · seq. */
type Position = [version: number, stream: number, seq: number];

const positionOf = (cursor: string | undefined): Position => {
  const [version = -1, stream = -1, seq = -1] = (cursor ?? "").split(".").filter(Boolean).map(Number);
  return [version, stream, seq];
};

interface Slot extends Record<string, SqlStorageValue> {
  slot: number;
  stream: number;
  first: number;
  last: number;
  origin: number;
  bytes: number;
  at: number;
  version: number;
  /** `origin` of the row before it in its direction; null for the oldest one that is kept. */
  before: number | null;
}

/** Rows after a position in the order of their storing, without their bodies. */
const slots = (sql: SqlStorage, [version, stream, seq]: Position, above: readonly [number, number], limit: number) =>
  sql.exec<Slot>(
    `WITH kept AS (
       SELECT slot, slot >= ? AS stream, row, first, last, origin, bytes, at, json_extract(cursors, '$.version') AS version,
         lag(origin) OVER (PARTITION BY slot >= ? ORDER BY row) AS before
       FROM ring)
     SELECT * FROM kept
     WHERE last >= first AND last > iif(stream = 0, ?, ?) AND (version, stream, last) > (?, ?, ?)
     ORDER BY version, stream, row LIMIT ?`,
    limits.ringRowsMax,
    limits.ringRowsMax,
    ...above,
    version,
    stream,
    seq,
    limit,
  );

/**
 * One page of the ring.
 * @param acked what the receiver of each direction acknowledged
 * @param above only what is beyond this `seq` of each direction
 */
export function readHistory(
  sql: SqlStorage,
  acked: readonly [number, number],
  { after, limit, payloads }: HistoryQuery,
  above: readonly [number, number] = [0, 0],
): HistoryPage {
  const from = positionOf(after);
  const entries: HistoryEntry[] = [];
  let bytes = 0;
  // One more than the page holds: a row has at least one envelope, so that one tells whether there is more.
  for (const slot of slots(sql, from, above, limit + 1).toArray()) {
    bytes += slot.bytes;
    if (entries.length > 0 && bytes > bounds.envelopesPageBytesMax) return { entries, ...nextAfter(entries) };
    const { body } = sql.exec<{ body: string }>("SELECT body FROM ring WHERE slot = ?", slot.slot).one();
    const stream = slot.stream as Side;
    const begun = slot.version === from[0] && slot.stream === from[1] ? from[2] : 0;
    for (const [i, line] of body.split("\n").entries()) {
      const seq = slot.first + i;
      if (seq <= above[stream] || seq <= begun) continue;
      if (entries.length === limit) return { entries, ...nextAfter(entries) };
      entries.push(entryOf(slot, seq, line, seq <= acked[stream], payloads));
    }
  }
  return { entries };
}

const nextAfter = (entries: readonly HistoryEntry[]) => {
  const next = entries.at(-1)?.cursor;
  return next === undefined ? {} : { next };
};

function entryOf(slot: Slot, seq: number, line: string, delivered: boolean, payloads: boolean): HistoryEntry {
  const { type, id, from, in_reply_to, data } = JSON.parse(line) as {
    type: string;
    id: string;
    from: string;
    in_reply_to?: string;
    data: { task_id?: string };
  };
  // A row of the broker's own accepts nothing new of the sender (nor can the first one of all, where there is nothing yet).
  const isOwn = slot.origin === (slot.before ?? 0);
  return {
    cursor: `${slot.version}.${slot.stream}.${seq}`,
    type,
    id,
    seq,
    sender_seq: isOwn ? null : slot.origin - (slot.last - seq),
    from,
    ...(in_reply_to !== undefined && { in_reply_to }),
    ...(data.task_id !== undefined && { task_id: data.task_id }),
    bytes: utf8Length(line),
    at: slot.at,
    delivered,
    ...(payloads && { data: JSON.stringify(data) }),
  };
}
