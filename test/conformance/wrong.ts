// An echo agent over the bare client half that makes one mistake, named by its argument: the kit must find it, and say the rule.
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import { decodeBrokerFrame, encode, packFrames } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import { isFinalClose } from "../../protocol/wire/errors.ts";

/** What it does wrong: the rule that it breaks, and the title of a check that shows it. */
export const mistakes = {
  "sends again on a timer": ["A6", "it sends nothing again on a timer"],
  "acknowledges what its application has not taken": ["S9", "not what has merely arrived"],
  "ignores the limit": ["W1", "it never sends beyond the limit"],
  "gives new ids to what it sends again": ["A6", "it sends again what is not stored"],
  "takes what is beyond a gap": ["S4", "a gap: it takes nothing"],
  "gives duplicates to its application": ["S3", "a duplicate is dropped"],
  "connects again after a final close": ["C5", "after 4403"],
  "sends before it has resumed": ["A1", "three cuts in a row"],
  "believes an older answer": ["A2", "only the answer to its latest question"],
  "acknowledges what was never sent": ["S5", "a receipt comes soon"],
  "answers a task twice": ["T4", "a task is answered once"],
  "says that it is somebody else": ["E3", "content comes back as it was"],
  "talks in binary": ["F1", "it connects with its certificate"],
  "registers last": ["R1", "it connects with its certificate"],
  "tries again without a wait": ["L16", "growing waits"],
} as const;
type Mistake = keyof typeof mistakes;

const mistake = process.argv[2];
const makes = (one: Mistake): boolean => mistake === one;
const mint = (): string => crypto.randomUUID();
const read = (name: string): Buffer => readFileSync(process.env[name] ?? "");

type Order = { do?: unknown; ms?: number; count?: number };

/** One session, and what its application has not looked at. */
class Conversation {
  readonly half: ClientSession;
  readonly #unread: { envelope: DeliveredEnvelope; counts: boolean }[] = [];
  readonly #flush: () => void;
  #isBusy = false;

  constructor(half: ClientSession, flush: () => void) {
    this.half = half;
    this.#flush = flush;
  }

  /** @param counts false: the half has not taken it, the application gets it all the same */
  hear(event: ClientEvent, counts = true): void {
    if (event.kind !== "work") return;
    if (makes("acknowledges what its application has not taken")) this.half.take(event.envelope.seq);
    this.#unread.push({ envelope: event.envelope, counts });
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#unread.shift(); next !== undefined; next = this.#unread.shift()) {
      const { envelope, counts } = next;
      if (counts) this.half.take(makes("acknowledges what was never sent") ? envelope.seq + 1 : envelope.seq);
      await this.#take(envelope);
      this.#flush();
    }
    this.#isBusy = false;
  }

  async #take({ type, data }: DeliveredEnvelope): Promise<void> {
    if (type === "TASK_REQUEST") {
      const answers = makes("answers a task twice") ? 2 : 1;
      for (let i = 0; i < answers; i++) {
        this.half.send("TASK_RESPONSE", mint(), { task_id: data.task_id, status: "succeeded", result: data.input });
      }
    }
    if (type !== "MESSAGE") return;
    const order = (data.content ?? {}) as Order;
    if (order.do === undefined) this.half.send("MESSAGE", mint(), { content: data.content });
    else if (order.do === "wait") await new Promise((resolve) => setTimeout(resolve, order.ms));
    else if (order.do === "send")
      for (let n = 1; n <= (order.count ?? 0); n++) this.half.send("MESSAGE", mint(), { content: n });
  }
}

class Client {
  #socket = this.#dial();
  #failures = 0;
  readonly #conversations = new Map<string, Conversation>();
  /** The last frame of work. */
  #last = "";

  #dial(): WebSocket {
    const socket = new WebSocket(`${process.env.AGENTWORKS_URL}/v1/connect`, "agentworks.v1", {
      ca: read("AGENTWORKS_CA"),
      cert: read("AGENTWORKS_CERT"),
      key: read("AGENTWORKS_KEY"),
    });
    socket.on("open", () => this.#greet());
    socket.on("message", (data: Buffer) => this.#frame(data.toString()));
    socket.on("error", () => {});
    socket.on("close", (code: number) => {
      if (isFinalClose(code) && !makes("connects again after a final close")) process.exit(0);
      const waitMs = makes("tries again without a wait") ? 1 : Math.random() * 100 * 2 ** this.#failures++;
      setTimeout(() => {
        this.#socket = this.#dial();
      }, waitMs);
    });
    return socket;
  }

  #greet(): void {
    const register = encode({ type: "REGISTER", id: mint(), data: { capabilities: [{ name: "echo" }] } });
    const query = encode({ type: "AGENT_QUERY", id: mint(), data: { limit: 1 } });
    this.#send(...(makes("registers last") ? [query, register] : [register]));
    if (makes("sends before it has resumed") && this.#last !== "") this.#socket.send(this.#last);
    for (const { half } of this.#conversations.values()) half.connected();
    this.#flush();
  }

  #send(...lines: string[]): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (const frame of packFrames(lines)) this.#socket.send(makes("talks in binary") ? Buffer.from(frame) : frame);
  }

  readonly #sentBefore = new Set<string>();

  #flush(): void {
    for (const { half } of this.#conversations.values()) {
      const lines = half.lines().map((line) => this.#spoil(line));
      const work = lines.filter((line) => line.includes('"seq":'));
      this.#send(...lines);
      if (work.length === 0) continue;
      this.#last = work.join("\n");
      if (makes("sends again on a timer"))
        setTimeout(() => {
          if (half.oldestInFlight !== undefined) this.#send(...work);
        }, 1_000);
    }
  }

  /** A line of work, as it should not be. */
  #spoil(line: string): string {
    if (!line.includes('"seq":')) return line;
    const isAgain = this.#sentBefore.has(line);
    this.#sentBefore.add(line);
    if (isAgain && makes("gives new ids to what it sends again"))
      return JSON.stringify({ ...JSON.parse(line), id: mint() });
    return makes("says that it is somebody else") ? JSON.stringify({ ...JSON.parse(line), from: "planner" }) : line;
  }

  #frame(text: string): void {
    this.#failures = 0;
    for (const decoded of decodeBrokerFrame(text)) if (decoded.ok) this.#hear(decoded.envelope);
    this.#flush();
  }

  #hear(envelope: BrokerEnvelope): void {
    if (envelope.type === "GOAWAY") return this.#socket.close();
    if (!("session_id" in envelope) || envelope.session_id === undefined) return;
    let conversation = this.#conversations.get(envelope.session_id);
    if (conversation === undefined && envelope.type === "SESSION_INIT") {
      conversation = new Conversation(ClientSession.accept(envelope, mint), () => this.#flush());
      this.#conversations.set(envelope.session_id, conversation);
    }
    if (conversation === undefined) return;
    const heard = misread(envelope);
    const events = conversation.half.receive(heard);
    for (const event of events) conversation.hear(event);
    const isIgnored = events.length === 0 && heard.type === "MESSAGE";
    if (isIgnored && (makes("gives duplicates to its application") || makes("takes what is beyond a gap")))
      conversation.hear({ kind: "work", envelope: heard }, false);
  }
}

/** What it hears instead of what was said. */
function misread(envelope: BrokerEnvelope): BrokerEnvelope {
  if (makes("ignores the limit") && "limit" in envelope && envelope.limit !== undefined)
    return { ...envelope, limit: 1e9 };
  if (makes("believes an older answer") && envelope.type === "SESSION_RESUMED") {
    const { in_reply_to: _, ...rest } = envelope;
    return rest;
  }
  return envelope;
}

if (import.meta.main) new Client();
