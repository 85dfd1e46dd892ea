// The peer's stream of work as it comes to the client half: in order and once (S2–S4), the same when it is repeated (A10), and
// acknowledged when the application has taken it (N3, B3). It knows no state of the session and no connection.
import type { DeliveredEnvelope } from "../wire/envelope.ts";
import type { Uuid } from "../wire/ids.ts";
import { limits } from "../wire/limits.ts";
import { ReceiveStream, type Verdict } from "./streams.ts";

export class IncomingWork extends ReceiveStream {
  /** The application has taken everything through this. */
  taken = 0;
  #saidTaken = 0;
  /** Somebody else closed: the peer, or an earlier life. */
  isClosed = false;
  /** The ids of the last work that came, by `seq` modulo the window. */
  readonly #ids: Uuid[] = [];

  /** How much the application has taken that the broker was not told. */
  get owed(): number {
    return this.taken - this.#saidTaken;
  }

  /** The application has taken everything through `seq`. */
  take(seq: number): void {
    this.taken = Math.max(this.taken, seq);
  }

  /** The broker is told what is taken. */
  acknowledge(): void {
    this.#saidTaken = this.taken;
  }

  /** The broker is to be told once more, whatever it was told. */
  acknowledgeAgain(): void {
    this.#saidTaken = -1;
  }

  /** mismatch: what came is not what came before under its number. */
  receive({ type, id, seq }: DeliveredEnvelope): Verdict | "mismatch" {
    const verdict = this.judge(seq);
    const slot = seq % limits.windowMessages;
    if (verdict === "next") {
      this.last = seq;
      this.#ids[slot] = id;
      if (type === "SESSION_CLOSE") this.isClosed = true;
    } else if (verdict === "duplicate") {
      // A10: what is sent again has the same id. Another one is another history, of a storage that was put back behind our backs.
      const known = seq > this.last - limits.windowMessages ? this.#ids[slot] : undefined;
      if (known !== undefined && known !== id) return "mismatch";
      this.#saidTaken = Math.min(this.#saidTaken, this.taken - 1);
    }
    return verdict;
  }

  /** Goes on where an earlier life had come to: it had taken everything through `taken`. */
  recover(taken: number, isClosed: boolean): void {
    this.last = taken;
    this.taken = taken;
    this.#saidTaken = taken;
    this.isClosed = isClosed;
  }
}
