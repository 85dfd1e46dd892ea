// What messages cost, counted by the runtime: rows, calls and D1 queries, for frames of one message and of sixteen, over both
// paths.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startBroker } from "../scripts/broker/broker.ts";
import { describeWorker } from "../scripts/broker/worker.ts";
import type { Counters } from "./counted/counters.ts";
import type { Dial } from "./lanes.ts";
import { dialsOf } from "./places.ts";
import { Speaker, uuid } from "./speaker.ts";

/** For one message. */
export interface Usage {
  rowsWritten: number;
  rowsRead: number;
  d1Queries: number;
  /** Calls between objects. */
  calls: number;
  /** WebSocket frames that came in, the receiver's acknowledgements too. */
  frames: number;
  /** While which the objects were awake, one frame after the other. */
  seconds: number;
}

export type Counted = Record<"multiplexed" | "direct", Record<"frame1" | "frame16", Usage>>;

/** Two agents and their open session, all sockets up and heartbeats sent, while nothing is said. */
export interface Idle {
  seconds: number;
  heartbeats: number;
  rowsWritten: number;
  rowsRead: number;
  d1Queries: number;
  calls: number;
  /** Of the three objects, those that had left memory when the next message came. */
  hibernated: number;
}

/** Longer than the runtime keeps an object in memory that has nothing to do (10 seconds). */
const idleMs = 15_000;
const heartbeatMs = 3_000;

/** Messages of a round. */
const messages = 512;
const content = "x".repeat(512);

/** A session between two sockets, one frame at a time: the dearest way there is, nothing shares a row by luck. */
class Exchange {
  readonly session_id = uuid();
  epoch = "";
  #seq = 0;
  readonly #counters: () => Promise<Counters>;

  constructor(counters: () => Promise<Counters>) {
    this.#counters = counters;
  }

  async open(from: Speaker, to: Speaker): Promise<void> {
    const { session_id } = this;
    const offered = to.wait(({ type }) => type === "SESSION_INIT");
    const init = { type: "SESSION_INIT", id: uuid(), session_id, to: "receiver" };
    const accepted = from.ask([init], ({ type }) => type === "SESSION_ACCEPT");
    await offered;
    to.say([{ type: "SESSION_ACCEPT", id: uuid(), session_id }]);
    this.epoch = (await accepted).data?.epoch ?? "";
  }

  /** A direct socket of one side, attached where the session stands. */
  async attach(dial: Dial, isSender: boolean): Promise<Speaker> {
    const { session_id, epoch } = this;
    const [sent, received] = isSender ? [this.#seq, 0] : [0, this.#seq];
    const data = { epoch, received, first: 1, next: sent + 1 };
    const speaker = await Speaker.dial(dial, `/v1/sessions/${session_id}`);
    const resume = { type: "SESSION_RESUME", id: uuid(), session_id, ack: received, data };
    await speaker.ask([resume], ({ type }) => type === "SESSION_RESUMED");
    return speaker;
  }

  /** One frame: stored, delivered, acknowledged by the receiver, and the sender knows. */
  async one(from: Speaker, to: Speaker, perFrame = 1): Promise<void> {
    const { session_id } = this;
    const frame = Array.from({ length: perFrame }, () => {
      return { type: "MESSAGE", id: uuid(), session_id, seq: ++this.#seq, data: { content } };
    });
    const last = this.#seq;
    const arrived = to.wait((envelope) => envelope.seq === last);
    const delivered = from.ask(frame, ({ type, data }) => type === "MESSAGE_ACK" && (data?.delivered ?? 0) >= last);
    await arrived;
    to.say([{ type: "MESSAGE_ACK", session_id, ack: last }]);
    await delivered;
  }

  /** Each frame is stored, delivered and acknowledged by the receiver before the next. */
  async round(from: Speaker, to: Speaker, perFrame: number): Promise<Usage> {
    const before = await this.#counters();
    const framesBefore = from.frames + to.frames;
    const started = performance.now();
    for (let sent = 0; sent < messages; sent += perFrame) await this.one(from, to, perFrame);
    const seconds = (performance.now() - started) / 1_000;
    const after = await this.#counters();
    const each = (count: (counters: Counters) => number) => (count(after) - count(before)) / messages;
    return {
      rowsWritten: each(({ rowsWritten, alarms }) => rowsWritten + alarms),
      rowsRead: each(({ rowsRead }) => rowsRead),
      d1Queries: each(({ d1Queries }) => d1Queries),
      calls: each(({ sessionCalls, deliverCalls }) => sessionCalls + deliverCalls),
      frames: (from.frames + to.frames - framesBefore) / messages,
      seconds: seconds / messages,
    };
  }
}

/** Nothing is said for a while; then one message, and which of the objects had to be woken for it. */
async function rest(
  exchange: Exchange,
  [from, to]: [Speaker, Speaker],
  counters: () => Promise<Counters>,
): Promise<Idle> {
  const before = await counters();
  let heartbeats = 0;
  const end = performance.now() + idleMs;
  while (performance.now() < end) {
    await sleep(heartbeatMs);
    for (const speaker of [from, to]) {
      speaker.say([{ type: "HEARTBEAT" }]);
      heartbeats++;
    }
  }
  const after = await counters();
  await exchange.one(from, to);
  const woken = await counters();
  const more = (count: (counters: Counters) => number) => count(after) - count(before);
  return {
    seconds: idleMs / 1000,
    heartbeats,
    rowsWritten: more(({ rowsWritten, alarms }) => rowsWritten + alarms),
    rowsRead: more(({ rowsRead }) => rowsRead),
    d1Queries: more(({ d1Queries }) => d1Queries),
    calls: more(({ sessionCalls, deliverCalls }) => sessionCalls + deliverCalls),
    hibernated: woken.starts - after.starts,
  };
}

async function count(
  [sender, receiver]: [Dial, Dial],
  counters: () => Promise<Counters>,
): Promise<{ counted: Counted; idle: Idle }> {
  const exchange = new Exchange(counters);
  const both = async (from: Speaker, to: Speaker) => ({
    frame1: await exchange.round(from, to, 1),
    frame16: await exchange.round(from, to, 16),
  });
  const [from, to] = [await Speaker.register(sender), await Speaker.register(receiver)];
  await exchange.open(from, to);
  const multiplexed = await both(from, to);
  const idle = await rest(exchange, [from, to], counters);
  const [directFrom, directTo] = [await exchange.attach(sender, true), await exchange.attach(receiver, false)];
  const direct = await both(directFrom, directTo);
  for (const speaker of [from, to, directFrom, directTo]) speaker.close();
  return { counted: { multiplexed, direct }, idle };
}

/** Starts a broker whose Worker counts, and exchanges messages through it. */
export async function countCost(state: string): Promise<{ counted: Counted; idle: Idle }> {
  const worker = { ...(await describeWorker()), entry: fileURLToPath(new URL("./counted/worker.ts", import.meta.url)) };
  const broker = await startBroker({ stateDir: join(state, "counted"), worker });
  try {
    const counters = async () => (await (await fetch(`${broker.apiUrl}/bench/counters`)).json()) as Counters;
    return await count(await dialsOf(broker), counters);
  } finally {
    await broker.close();
  }
}

const rounded = (value: number) => Number(value.toFixed(4));

/** As the JSON has it. */
export function costJson({ multiplexed: { frame1, frame16 } }: Counted) {
  return {
    rowsPerMessage: { frame1: rounded(frame1.rowsWritten), frame16: rounded(frame16.rowsWritten) },
    d1QueriesPerMessage: rounded(frame1.d1Queries + frame16.d1Queries),
    /** Calls to objects per message in frames of one: what requests are billed by. */
    callsPerMessage: rounded(frame1.calls),
  };
}
