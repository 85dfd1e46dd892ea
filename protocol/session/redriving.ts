// One call that sends dead letters on, at their source: what it asks of other sessions, and what it makes of the answers (PROTOCOL,
// Dead letters). A generator, for the answers take time: whoever drives it asks, and brings them. They go into one session until
// that has ended: which, is stored before the first leaves, and the target alone knows which it took. So this may be called at any
// time, any number of times, and may stop after any question.
import type { ErrorReason } from "../wire/errors.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import type { BrokerSession } from "./broker.ts";
import type { SessionRecord } from "./effects.ts";
import { isRedrivable, type Letter, type Redriven, redriveOf } from "./redrive.ts";
import { isEnded } from "./states.ts";
import { otherSide, type Side, type TaskRecord } from "./tasks.ts";

/** A session as the target of dead letters. */
export interface RedriveStanding {
  peer: AgentId;
  state: SessionRecord["state"];
  /** Letters of that source were taken through this `seq`. */
  through: number;
}

/** `redriven`, `skipped`: by this call. Refused: because of the session itself, or of the one that was named for a target. */
export type RedriveAnswer =
  | { redriven: number; skipped: number; remaining: number }
  | { refused: ErrorReason; of: "source" | "target" };

/** Asked of another session, for the agent whose letters they are: how it stands, or to take these. */
export type RedriveQuestion = { ask: "standing"; of: Uuid } | { ask: "take"; of: Uuid; letters: Letter[] };

/** Undefined: the session is not the agent's; or, where it was to take letters, it is not active. */
export interface RedriveReply {
  standing?: RedriveStanding | undefined;
  taken?: Redriven | undefined;
}

/** Where a session's letters are read. */
export interface LetterStore {
  find(task_id: Uuid): TaskRecord | undefined;
  /** The stored envelopes first…last of a direction, as frames. */
  frames(stream: Side, first: number, last: number): Iterable<string>;
  /** The ids of tasks that were cancelled in a direction after `acked`. */
  cancelledAfter(stream: Side, acked: number): ReadonlySet<string>;
}

export interface RedriveSource {
  session: BrokerSession;
  store: LetterStore;
  /** Carries out what `BrokerSession.redriving` says. */
  note(side: Side, target: Uuid, after: number, through: number): void;
}

export function sideOf(record: Readonly<SessionRecord> | undefined, agent: AgentId): Side | undefined {
  const side = record?.agents.indexOf(agent);
  return side === 0 || side === 1 ? side : undefined;
}

/** How a session stands as the target of the agent's letters. Undefined where it is not the agent's. */
export function standingFor(
  record: Readonly<SessionRecord> | undefined,
  store: { redrivenThrough(source: Uuid, stream: Side): number },
  agent: AgentId,
  source: Uuid,
): RedriveStanding | undefined {
  const side = sideOf(record, agent);
  if (record === undefined || side === undefined) return undefined;
  const peer = record.agents[otherSide(side)];
  return { peer, state: record.state, through: store.redrivenThrough(source, side) };
}

/** Whether a dead letter goes on, as `isRedrivable`; `task_id` is that of a task's. */
export const goesOn = (
  store: Pick<LetterStore, "find">,
  type: string,
  task_id?: Uuid,
  cancelled?: ReadonlySet<string>,
): boolean =>
  task_id === undefined
    ? isRedrivable(type)
    : isRedrivable(type, store.find(task_id), cancelled?.has(task_id) ?? false);

/** The letters of a side that go on, in their order. */
function lettersOf(store: LetterStore, { progress }: BrokerSession, side: Side): Letter[] {
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

type Call<T> = Generator<RedriveQuestion, T, RedriveReply>;

function* standingOf(of: Uuid): Call<RedriveStanding | undefined> {
  const { standing } = yield { ask: "standing", of };
  return standing;
}

function* take(of: Uuid, letters: Letter[]): Call<Redriven | undefined> {
  const { taken } = yield { ask: "take", of, letters };
  return taken;
}

const refused = (reason: ErrorReason, of: "source" | "target"): RedriveAnswer => ({ refused: reason, of });
const nothing = { redriven: 0, skipped: 0, remaining: 0 } as const;

/** Sends the dead letters of an agent into another session, as many as it has room for. */
export function* redriving(
  { session, store, note }: RedriveSource,
  agent: AgentId,
  target: Uuid,
): Generator<RedriveQuestion, RedriveAnswer, RedriveReply> {
  const { record } = session;
  const side = sideOf(record, agent);
  if (record === undefined || side === undefined) return refused("session_unknown", "source");
  if (session.isDamaged) return refused("session_damaged", "source");
  if (!isEnded(record.state)) return refused("session_not_ended", "source");
  const { session_id, agents } = record;
  if (target === session_id) return refused("redrive_mismatch", "target");

  const before = redriveOf(record, side);
  const standing = yield* standingOf(target);
  if (standing === undefined) return refused("session_unknown", "target");
  if (standing.peer !== agents[otherSide(side)]) return refused("redrive_mismatch", "target");
  const left = lettersOf(store, session, side).filter(({ seq }) => seq > (before?.through ?? 0));
  if (left.length === 0) return nothing;
  // What an earlier target took it may not have been able to say; only when it has ended, it takes no more.
  const earlier = before === undefined || before.target === target ? standing : yield* standingOf(before.target);
  if (earlier === undefined || (earlier !== standing && !isEnded(earlier.state)))
    return refused("redrive_conflict", "target");
  // While we asked, another call may have chosen: the same target, or another one.
  const now = redriveOf(record, side);
  if (now !== undefined && now.target !== target && now.target !== before?.target)
    return refused("redrive_conflict", "target");

  const known = now?.target === before?.target ? earlier : standing;
  const after = Math.max(now?.through ?? session.progress[side].acked, known.through);
  if (now !== undefined && after > now.through) note(side, now.target, now.after, after);
  const letters = left.filter(({ seq }) => seq > after);
  if (letters.length === 0) return nothing;
  if (standing.state === "pending") return refused("session_not_active", "target");
  if (standing.state !== "active") return refused("session_closed", "target");
  if (now?.target !== target) note(side, target, after, after);
  const taken = yield* take(target, batchOf(letters));
  if (taken === undefined) return refused("session_closed", "target");
  note(side, target, after, taken.through);
  const remaining = letters.filter(({ seq }) => seq > taken.through).length;
  return { redriven: taken.taken, skipped: taken.skipped, remaining };
}
