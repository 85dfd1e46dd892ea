// Dead letters of a session: what is listed of them, and their way into another session. Which they are, and what becomes of
// them there, is the core's (protocol/session/redrive.ts, redriving.ts); this file reads rows and asks the other object.
import type { BrokerSession } from "../protocol/session/broker.ts";
import { deadReason, type Letter, type Redriven, takerOf } from "../protocol/session/redrive.ts";
import {
  goesOn,
  type RedriveAnswer,
  type RedriveSource,
  type RedriveStanding,
  redriving,
  sideOf,
} from "../protocol/session/redriving.ts";
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

/** The object of the session that letters go into. */
interface Target {
  redriveStanding(agent: string, source: string): Promise<RedriveStanding | undefined>;
  takeLetters(agent: string, source: string, letters: Letter[]): Promise<Redriven | undefined>;
}

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

/** Sends the dead letters of an agent into another session: asks the others what the core wants to know. */
export async function redrive(
  source: RedriveSource & { other(session_id: string): Target },
  agent: string,
  target: string,
): Promise<RedriveAnswer> {
  const from = source.session.record?.session_id ?? "";
  const call = redriving(source, agent, target);
  for (let step = call.next({}); ; ) {
    if (step.done) return step.value;
    const question = step.value;
    const asked = source.other(question.of);
    step = call.next(
      question.ask === "standing"
        ? { standing: await asked.redriveStanding(agent, from) }
        : { taken: await asked.takeLetters(agent, from, question.letters) },
    );
  }
}
