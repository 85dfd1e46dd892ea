// Writing a vector of a session: what is done is written by hand, what comes of it is the core's. Read it before committing it.
import { replay } from "../half.ts";
import type { SessionCase, Start, Step } from "../session-steps.ts";

export const session_id = "01a1ee56-5e03-7000-8000-000000000000";
export const epoch = "6f1b0c52-8a3e-4f0e-9d55-b1c0ffee0001";
const uuid = (kind: number, n: number): string => `01a1ee56-5e0${kind}-7000-8000-${n.toString(16).padStart(12, "0")}`;
/** The n-th id of the half's own dice, from 1. */
export const minted = (n: number): string => uuid(4, n);
/** Of the n-th envelope of the application's, from 1. */
export const own = (n: number): string => uuid(5, n);
/** Of an envelope of the broker's. */
export const theirs = (n: number): string => uuid(6, n);
export const task = (n: number): string => uuid(7, n);

type Members = Record<string, unknown>;

export class Script {
  readonly #name: string;
  readonly #rules: string[];
  readonly #start: Start;
  readonly #steps: Step[] = [];
  #sent = 0;

  constructor(name: string, rules: string[], start: Start = { as: "offer", session_id, to: "analyst" }) {
    this.#name = name;
    this.#rules = rules;
    this.#start = start;
  }

  /** An offer that was asked and accepted. */
  static ready(name: string, rules: string[], limit = 512): Script {
    return new Script(name, rules).connected().lines().accepted(limit);
  }

  #step(step: Step): this {
    this.#steps.push(step);
    return this;
  }

  // --- what the application and its adapter do

  connected(): this {
    return this.#step({ do: "connected" });
  }

  reattach(): this {
    return this.#step({ do: "reattach" });
  }

  lines(receipts: "now" | "later" = "now"): this {
    return this.#step({ do: "lines", receipts, lines: [] });
  }

  take(seq: number): this {
    return this.#step({ do: "take", seq });
  }

  facts(): this {
    const standing = { state: "", peer: "", backlog: 0, paused: false };
    const waiting = { oldest_in_flight: null, owes_receipt: false, awaits: false };
    return this.#step({ do: "facts", ...standing, ...waiting });
  }

  memory(): this {
    return this.#step({ do: "memory", peer: "", epoch: "", taken: 0, stored: 0, lines: [], is_closing: false });
  }

  send(type: string, data: Members, more: { in_reply_to?: string; traceparent?: string } = {}): this {
    return this.#step({ do: "send", type, id: own(++this.#sent), data, ...more, seq: 0 });
  }

  say(...contents: unknown[]): this {
    for (const content of contents) this.send("MESSAGE", { content });
    return this;
  }

  close(reason?: string): this {
    return this.send("SESSION_CLOSE", reason === undefined ? {} : { reason });
  }

  // --- what the broker says

  receive(type: string, members: Members, data?: Members): this {
    return this.#step({
      do: "receive",
      envelope: { type, session_id, ...members, ...(data && { data }) },
      events: [],
    });
  }

  accepted(limit = 512, more: Members = {}, data: Members = {}): this {
    const facts = { epoch, peer: "analyst", capabilities: [], ...data };
    return this.receive("SESSION_ACCEPT", { id: theirs(900), in_reply_to: minted(1), limit, ...more }, facts);
  }

  /** Work of the peer's. */
  hear(...seqs: number[]): this {
    for (const seq of seqs) this.hearAs(seq, theirs(seq));
    return this;
  }

  /** The same, under an id of its own. */
  hearAs(seq: number, id: string): this {
    return this.receive("MESSAGE", { id, seq, from: "analyst" }, { content: `their ${seq}` });
  }

  receipt(ack: number, limit?: number, delivered?: number): this {
    const data = delivered === undefined ? undefined : { delivered };
    return this.receive("MESSAGE_ACK", { ack, ...(limit !== undefined && { limit }) }, data);
  }

  /** @param question which of the half's ids it answers; undefined: it says none */
  resumed(question: number | undefined, received: number, limit: number, data: Members = {}): this {
    const facts = { outcome: "resumed", epoch, state: "active", received, delivered: 0, ...data };
    const answers = question === undefined ? {} : { in_reply_to: minted(question) };
    return this.receive("SESSION_RESUMED", { id: theirs(901), ...answers, limit }, facts);
  }

  error(reason: string, more: Members = {}, data: Members = {}): this {
    const about = { code: "unavailable", reason, detail: "…", retryable: true, processed: "no", scope: "session" };
    return this.receive("ERROR", more, { ...about, ...data });
  }

  /** The vector, with what the core makes of it. */
  written(): SessionCase {
    const ids = Array.from({ length: 64 }, (_, i) => minted(i + 1));
    const { idsLeft, ...done } = replay({
      name: this.#name,
      rules: this.#rules,
      ids,
      start: this.#start,
      steps: this.#steps,
    });
    return { ...done, ids: ids.slice(0, ids.length - idsLeft) };
  }
}
