// What messages cost, counted by the runtime: rows written and D1 queries, for frames of one message and of sixteen. It speaks
// the wire itself, because it must decide what is in a frame; the SDK batches by its own rule.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { uuidv7 } from "../protocol/wire/ids.ts";
import type { Counters } from "./counted/counters.ts";
import type { Dial } from "./lanes.ts";

const uuid = () => uuidv7(Date.now(), randomBytes(10));

/** A socket that speaks frames of its own making, and waits for one kind of answer at a time. */
class Speaker {
  readonly #socket: WebSocket;
  #waiting: { test: (envelope: Spoken) => boolean; resolve: (envelope: Spoken) => void } | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (frame) => {
      for (const line of String(frame).split("\n")) this.#hear(JSON.parse(line) as Spoken);
    });
  }

  static async dial({ url, caFile, certificateFile, keyFile }: Dial): Promise<Speaker> {
    const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(certificateFile), readFile(keyFile)]);
    const socket = new WebSocket(`${url}/v1/connect`, "agentworks.v1", { ca, cert, key });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const speaker = new Speaker(socket);
    await speaker.ask([{ type: "REGISTER", id: uuid(), data: {} }], ({ type }) => type === "REGISTER_ACK");
    return speaker;
  }

  /** Whoever receives acknowledges each frame's last message, as a client that keeps up does. */
  acknowledge = false;

  #hear(envelope: Spoken): void {
    if (envelope.type === "ERROR") throw new Error(JSON.stringify(envelope));
    if (this.#waiting?.test(envelope)) this.#waiting.resolve(envelope);
  }

  say(envelopes: object[]): void {
    this.#socket.send(envelopes.map((envelope) => JSON.stringify(envelope)).join("\n"));
  }

  /** Sends, and waits for the answer that fits. */
  ask(envelopes: object[], test: (envelope: Spoken) => boolean): Promise<Spoken> {
    const answer = this.wait(test);
    this.say(envelopes);
    return answer;
  }

  wait(test: (envelope: Spoken) => boolean): Promise<Spoken> {
    return new Promise((resolve) => {
      this.#waiting = { test, resolve };
    });
  }

  close(): void {
    this.#socket.close();
  }
}

interface Spoken {
  type: string;
  session_id?: string;
  seq?: number;
  ack?: number;
  data?: { delivered?: number };
}

export interface Cost {
  rowsPerMessage: { frame1: number; frame16: number };
  d1QueriesPerMessage: number;
  /** Calls to objects per message in frames of one: what requests are billed by. */
  callsPerMessage: number;
}

/**
 * Sends `messages` in frames of one and again in frames of sixteen, each frame stored, delivered and acknowledged by the
 * receiver before the next: the dearest way there is, nothing shares a row by luck.
 * @param counters reads the runtime's counters of the broker that is dialled
 */
export async function measureCost(
  [sender, receiver]: [Dial, Dial],
  messages: number,
  counters: () => Promise<Counters>,
): Promise<Cost> {
  const [from, to] = [await Speaker.dial(sender), await Speaker.dial(receiver)];
  const session_id = uuid();
  const offered = to.wait(({ type }) => type === "SESSION_INIT");
  const accepted = from.ask(
    [{ type: "SESSION_INIT", id: uuid(), session_id, to: "receiver" }],
    ({ type }) => type === "SESSION_ACCEPT",
  );
  await offered;
  to.say([{ type: "SESSION_ACCEPT", id: uuid(), session_id }]);
  await accepted;

  let seq = 0;
  const round = async (perFrame: number) => {
    const before = await counters();
    for (let sent = 0; sent < messages; sent += perFrame) {
      const content = "x".repeat(512);
      const frame = Array.from({ length: perFrame }, () => ({
        type: "MESSAGE",
        id: uuid(),
        session_id,
        seq: ++seq,
        data: { content },
      }));
      const last = seq;
      const arrived = to.wait((envelope) => envelope.seq === last);
      const delivered = from.ask(frame, ({ type, data }) => type === "MESSAGE_ACK" && (data?.delivered ?? 0) >= last);
      await arrived;
      to.say([{ type: "MESSAGE_ACK", session_id, ack: last }]);
      await delivered;
    }
    const after = await counters();
    const rows = after.rowsWritten + after.alarms - before.rowsWritten - before.alarms;
    const calls = after.sessionCalls + after.deliverCalls - before.sessionCalls - before.deliverCalls;
    return { rows: rows / messages, queries: (after.d1Queries - before.d1Queries) / messages, calls: calls / messages };
  };
  const one = await round(1);
  const sixteen = await round(16);
  from.close();
  to.close();
  const rounded = (value: number) => Number(value.toFixed(4));
  return {
    rowsPerMessage: { frame1: rounded(one.rows), frame16: rounded(sixteen.rows) },
    d1QueriesPerMessage: rounded(one.queries + sixteen.queries),
    callsPerMessage: rounded(one.calls),
  };
}
