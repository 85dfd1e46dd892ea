// Dead letters of a session: what is listed of them, and their way into another session. Which they are, and what becomes of
// them there, is the core's (protocol/session/redrive.ts); this file reads rows and asks the other object.
import type { BrokerSession } from "../protocol/session/broker.ts";
import type { Output, SessionRecord } from "../protocol/session/effects.ts";
import {
  deadReason,
  isRedrivable,
  type Letter,
  type Redriven,
  redriveOf,
  takerOf,
} from "../protocol/session/redrive.ts";
import { isEnded } from "../protocol/session/states.ts";
import { otherSide, type Side } from "../protocol/session/tasks.ts";
import type { ErrorReason } from "../protocol/wire/errors.ts";
import { limits } from "../protocol/wire/limits.ts";
import { type HistoryEntry, type HistoryQuery, readHistory } from "./session-history.ts";
import type { SessionStore } from "./session-store.ts";

export interface DeadLetter extends HistoryEntry {
  reason: "session_expired" | "session_closed";
  /** Redriving sends it (or did). */
  redrivable: boolean;
  /** The session that it went into. */
  redriven_to: string | null;
}

export interface DeadLetterPage {
  letters: DeadLetter[];
  next?: string;
}

/** A session as the target of dead letters. */
export interface RedriveStanding {
  peer: string;
  state: SessionRecord["state"];
  /** Letters of that source were taken through this `seq`. */
  through: number;
}

/** `redriven`, `skipped`: by this call. Refused: because of the session itself, or of the one that was named for a target. */
export type RedriveAnswer =
  | { redriven: number; skipped: number; remaining: number }
  | { refused: ErrorReason; of: "source" | "target" };

/** The object of the session that letters go into. */
interface Target {
  redriveStanding(agent: string, source: string): Promise<RedriveStanding | undefined>;
  takeLetters(agent: string, source: string, letters: Letter[]): Promise<Redriven | undefined>;
}

export function sideOf(record: Readonly<SessionRecord> | undefined, agent: string): Side | undefined {
  const side = record?.agents.indexOf(agent);
  return side === 0 || side === 1 ? side : undefined;
}

/** How a session stands as the target of the agent's letters. Undefined where it is not the agent's. */
export function standingFor(
  record: Readonly<SessionRecord> | undefined,
  store: SessionStore,
  agent: string,
  source: string,
): RedriveStanding | undefined {
  const side = sideOf(record, agent);
  if (record === undefined || side === undefined) return undefined;
  return { peer: record.agents[otherSide(side)], state: record.state, through: store.redrivenThrough(source, side) };
}

const goesOn = (store: SessionStore, type: string, task_id?: string, cancelled?: ReadonlySet<string>): boolean =>
  task_id === undefined
    ? isRedrivable(type)
    : isRedrivable(type, store.find(task_id), cancelled?.has(task_id) ?? false);

/** One page of what both sides left undelivered; nothing while the session lives. */
export function readDeadLetters(
  sql: SqlStorage,
  store: SessionStore,
  { record, progress }: BrokerSession,
  query: HistoryQuery,
): DeadLetterPage {
  const reason = record && deadReason(record);
  if (record === undefined || reason === undefined) return { letters: [] };
  const acked = [progress[0].acked, progress[1].acked] as const;
  const { entries, ...more } = readHistory(sql, acked, query, acked);
  const cancelled = ([0, 1] as const).map((side) => store.cancelledAfter(side, acked[side]));
  const letters = entries.map((entry) => {
    const side = sideOf(record, entry.from) ?? 0;
    const redrivable = goesOn(store, entry.type, entry.task_id, cancelled[side]);
    return { ...entry, reason, redrivable, redriven_to: (redrivable && takerOf(record, side, entry.seq)) || null };
  });
  return { letters, ...more };
}

/** The letters of a side that go on, in their order. */
function lettersOf(store: SessionStore, { progress }: BrokerSession, side: Side): Letter[] {
  const { acked, waiting } = progress[side];
  const cancelled = store.cancelledAfter(side, acked);
  const letters: Letter[] = [];
  let seq = acked;
  for (const frame of store.frames(side, acked + 1, acked + waiting)) {
    for (const line of frame.split("\n")) {
      seq++;
      const { type, data } = JSON.parse(line) as { type: string; data: { task_id?: string } };
      if (goesOn(store, type, data.task_id, cancelled)) letters.push({ seq, line });
    }
  }
  return letters;
}

/** As many letters as one call carries, and a target takes at most. */
function batchOf(letters: readonly Letter[]): Letter[] {
  let chars = 0;
  const end = letters.findIndex(({ line }, i) => {
    chars += line.length;
    return i === limits.redriveRowsMax || (i > 0 && chars > limits.windowBytes);
  });
  return letters.slice(0, end < 0 ? letters.length : end);
}

/**
 * Sends the dead letters of an agent into another session, as many as it has room for. They go into one session until that has
 * ended: which, is stored before the first leaves, and the target alone knows which it took. So this may be called at any time,
 * any number of times.
 */
export async function redrive(
  source: {
    session: BrokerSession;
    store: SessionStore;
    perform(output: Output): void;
    other(session_id: string): Target;
  },
  agent: string,
  target: string,
): Promise<RedriveAnswer> {
  const { session, store, perform, other } = source;
  const { record } = session;
  const side = sideOf(record, agent);
  if (record === undefined || side === undefined) return { refused: "session_unknown", of: "source" };
  if (session.isDamaged) return { refused: "session_damaged", of: "source" };
  if (!isEnded(record.state)) return { refused: "session_not_ended", of: "source" };
  const { session_id, agents } = record;
  if (target === session_id) return { refused: "redrive_mismatch", of: "target" };

  const before = redriveOf(record, side);
  const standing = await other(target).redriveStanding(agent, session_id);
  if (standing === undefined) return { refused: "session_unknown", of: "target" };
  if (standing.peer !== agents[otherSide(side)]) return { refused: "redrive_mismatch", of: "target" };
  const left = lettersOf(store, session, side).filter(({ seq }) => seq > (before?.through ?? 0));
  const nothing = { redriven: 0, skipped: 0, remaining: 0 };
  if (left.length === 0) return nothing;
  // What an earlier target took it may not have been able to say; only when it has ended, it takes no more.
  const earlier =
    before === undefined || before.target === target
      ? standing
      : await other(before.target).redriveStanding(agent, session_id);
  if (earlier === undefined || (earlier !== standing && !isEnded(earlier.state))) {
    return { refused: "redrive_conflict", of: "target" };
  }
  // While we asked, another call may have chosen: the same target, or another one.
  const now = redriveOf(record, side);
  if (now !== undefined && now.target !== target && now.target !== before?.target) {
    return { refused: "redrive_conflict", of: "target" };
  }

  const note = (to: string, after: number, through: number) =>
    perform(session.redriving(side, to, after, through, Date.now()));
  const known = now?.target === before?.target ? earlier : standing;
  const after = Math.max(now?.through ?? session.progress[side].acked, known.through);
  if (now !== undefined && after > now.through) note(now.target, now.after, after);
  const letters = left.filter(({ seq }) => seq > after);
  if (letters.length === 0) return nothing;
  if (standing.state === "pending") return { refused: "session_not_active", of: "target" };
  if (standing.state !== "active") return { refused: "session_closed", of: "target" };
  if (now?.target !== target) note(target, after, after);
  const taken = await other(target).takeLetters(agent, session_id, batchOf(letters));
  if (taken === undefined) return { refused: "session_closed", of: "target" };
  note(target, after, taken.through);
  const remaining = letters.filter(({ seq }) => seq > taken.through).length;
  return { redriven: taken.taken, skipped: taken.skipped, remaining };
}
