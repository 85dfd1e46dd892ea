// The states of a session that the fuzzer starts from: each made once by honest means, then kept as what its store holds.
import type { SessionRecord } from "../../protocol/session/effects.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Raw } from "../protocol/raw.ts";
import type { Store } from "../protocol/store.ts";
import { ids } from "./values.ts";

/** What a session is restored from, and who is attached to it. */
export interface Start {
  store: Store;
  attaches: [string, string];
  session_id: string;
  now: number;
}

const task = (link: Raw, n: number, seq: number, more: object = {}) =>
  link.of("TASK_REQUEST", { seq, data: { task_id: ids[n], capability: "summarize", input: { text: "…" }, ...more } });
const response = (link: Raw, n: number, seq: number) =>
  link.of("TASK_RESPONSE", { seq, data: { task_id: ids[n], status: "succeeded", result: "x".repeat(200) } });

/** Work both ways, one task open, one cancelling, one finished. */
function busy(link: Raw): void {
  link.say(link.a, ...link.messages(1, 3), task(link, 0, 4), task(link, 1, 5), task(link, 2, 6));
  link.say(link.b, ...link.messages(1, 2), response(link, 0, 3), link.ack(6));
  link.say(link.a, link.of("TASK_CANCEL", { seq: 7, data: { task_id: ids[1] } }), link.ack(2));
}

const ways = {
  absent: () => new Raw(),
  pending: () => {
    const link = new Raw();
    link.init();
    return link;
  },
  active: () => Raw.accepted(),
  busy: () => {
    const link = Raw.accepted();
    busy(link);
    return link;
  },
  full: () => {
    const link = Raw.accepted();
    for (let first = 1; first <= limits.windowMessages; first += 128)
      link.say(link.a, ...link.messages(first, first + 127));
    return link;
  },
  paused: () => {
    const link = Raw.accepted();
    link.say(link.b, { type: "PAUSE", session_id: link.session_id });
    busy(link);
    return link;
  },
  closing: () => {
    const link = Raw.accepted();
    busy(link);
    link.say(link.a, link.close(8, "done"));
    return link;
  },
  closed: () => {
    const link = Raw.accepted();
    link.say(link.a, link.close(1), link.ack(0));
    link.say(link.b, link.ack(1));
    return link;
  },
  rejected: () => {
    const link = new Raw();
    link.init();
    link.say(link.b, link.of("SESSION_REJECT", { data: { message: "busy" } }));
    return link;
  },
  expired: () => {
    const link = Raw.accepted();
    busy(link);
    link.expire();
    return link;
  },
  away: () => {
    const link = Raw.accepted();
    link.b.up = false;
    busy(Object.assign(link, { b: link.b }));
    link.b.up = true;
    return link;
  },
} satisfies Record<string, () => Raw>;

export type StateName = keyof typeof ways;
export const stateNames = Object.keys(ways) as StateName[];

const kept = new Map<StateName, Start>();

/** The start of that name; the caller copies what it changes. */
export function startOf(name: StateName): Start {
  let start = kept.get(name);
  if (start === undefined) {
    const link = ways[name]();
    const attaches: [string, string] = [link.a.attach, link.b.attach];
    start = { store: link.store, attaches, session_id: link.session_id, now: link.now };
    kept.set(name, start);
  }
  return start;
}

/** Fills an empty store with what a start holds. Rows are never changed, everything else is copied. */
export function restore(into: Store, { store }: Start): void {
  const { record } = store;
  if (record !== undefined) into.record = structuredClone(record) as SessionRecord;
  into.cursors = store.cursors;
  into.rows = [new Map(store.rows[0]), new Map(store.rows[1])];
  for (const [id, one] of store.tasks) into.tasks.set(id, { ...one });
}
