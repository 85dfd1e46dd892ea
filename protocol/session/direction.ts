// One direction of a session at the broker: what one side sent, stored for the other. It joins the receive stream of the
// sender to the send stream of the receiver, and decides how much more the sender may send (PROTOCOL, Flow control).
import { limits } from "../wire/limits.ts";
import type { RowMeta } from "./effects.ts";
import { Ring, type Slotted } from "./ring.ts";
import { ReceiveStream, SendStream } from "./streams.ts";

interface StoredSpan extends RowMeta {
  /** Made by the broker, not by the sender. */
  own: boolean;
}

/** How far a direction is. */
export interface Progress {
  /** The sender's `seq` through which all is stored, and that through which the receiver acknowledged. */
  received: number;
  delivered: number;
  /** The same acknowledgement in the receiver's numbers, and what is behind it. */
  acked: number;
  waiting: number;
  bytes: number;
}

export class Direction {
  readonly received = new ReceiveStream();
  readonly out = new SendStream<StoredSpan>();
  readonly #ring = new Ring();
  /** The highest `seq` that the sender was told it may send. */
  granted = 0;
  /** What the sender may know of grants beyond `granted`: memory was lost since, and with it at most this many (W4). */
  slack = 0;
  /** The sender's `seq` through which the receiver acknowledged. */
  delivered = 0;
  /** PAUSE was sent to the sender and RESUME not yet; undefined between the marks after a loss of memory: nobody knows. */
  pausing: boolean | undefined = false;
  #ownWaiting = 0;
  /** Empty rows behind something that waits: they keep their slots of the ring, so they take part of the window too. */
  #emptyWaiting = 0;

  /** Rebuilds itself from its rows (ascending) and cursors. */
  restore(rows: readonly RowMeta[], acked: number, granted: number, sent: number): void {
    this.#ring.restore(rows);
    const oldest = rows[0];
    if (oldest !== undefined) this.out.next = oldest.first;
    this.out.acked = Math.max(acked, this.out.next - 1);
    this.received.last = 0;
    // What was before the oldest row is done: so much at least was delivered (one more, where that row is the broker's own).
    this.delivered = oldest === undefined ? 0 : Math.max(0, oldest.origin - (oldest.last - oldest.first + 1));
    for (const row of rows) {
      const own = row.origin === this.received.last && row.last >= row.first;
      this.received.last = Math.max(this.received.last, row.origin);
      if (row.last <= acked) {
        this.out.next = row.last + 1;
        this.delivered = row.origin;
        continue;
      }
      this.out.append({ ...row, own });
      if (own) this.#ownWaiting++;
      if (row.last < row.first) this.#emptyWaiting++;
    }
    this.out.acked = acked;
    this.out.sent = Math.max(acked, sent);
    this.#advanceInside();
    this.granted = granted;
    // However often memory is lost, what is stored never passes the window by more than one such loss.
    const lag = limits.cursorLagMessagesMax;
    const room = limits.windowMessages + lag - (this.#occupied - this.#ownWaiting) - (granted - this.received.last);
    this.slack = Math.max(0, Math.min(lag, room));
    const share = this.#share();
    if (share >= limits.pauseAtShare) this.pausing = true;
    else this.pausing = share <= limits.resumeAtShare ? false : undefined;
  }

  /** The broker's own frames that the receiver has not acknowledged. */
  get ownWaiting(): number {
    return this.#ownWaiting;
  }

  get progress(): Progress {
    const { acked, waiting, bytes } = this.out;
    return { received: this.received.last, delivered: this.delivered, acked, waiting, bytes };
  }

  /** Appends a row of `count` envelopes that accepts the sender's stream through `origin`. */
  append(count: number, origin: number, bytes: number, own: boolean): { span: StoredSpan; forget: Slotted[] } {
    const firstWaiting = this.out.spans[0]?.row ?? Number.POSITIVE_INFINITY;
    const { row, slot, forget } = this.#ring.place(bytes, firstWaiting);
    const span: StoredSpan = { row, slot, first: this.out.next, last: this.out.next + count - 1, origin, bytes, own };
    this.out.append(span);
    if (own) this.#ownWaiting++;
    if (count === 0) {
      this.#emptyWaiting++;
      this.acknowledge(this.out.acked);
    }
    return { span, forget };
  }

  /** The receiver's acknowledgement. True when the sender's receipt advanced. */
  acknowledge(seq: number): boolean {
    const before = this.delivered;
    for (const span of this.out.acknowledge(seq)) {
      this.delivered = span.origin;
      if (span.own) this.#ownWaiting--;
      if (span.last < span.first) this.#emptyWaiting--;
    }
    this.#advanceInside();
    return this.delivered > before;
  }

  /** A row is one unbroken run, so an acknowledgement in the midst of it maps to one `seq` of the sender. */
  #advanceInside(): void {
    const head = this.out.spans[0];
    if (head === undefined || head.own || head.first > this.out.acked) return;
    this.delivered = Math.max(this.delivered, head.origin - (head.last - this.out.acked));
  }

  /** Messages of the window that are taken: none of the rows behind them may be overwritten. */
  get #occupied(): number {
    return this.out.waiting + this.#emptyWaiting;
  }

  #share(): number {
    return Math.max(this.#occupied / limits.windowMessages, this.out.bytes / limits.windowBytes);
  }

  /** The `limit` of the sender now; it never goes back (W1). */
  grant(): number {
    const room = this.out.bytes >= limits.windowBytes ? 0 : Math.max(0, limits.windowMessages - this.#occupied);
    this.granted = Math.max(this.granted, this.received.last + room);
    return this.granted;
  }

  /** W5: PAUSE at the high mark, RESUME at the low one, nothing in between. Rather said twice than never. */
  pressure(): "PAUSE" | "RESUME" | undefined {
    const share = this.#share();
    if (this.pausing !== true && share >= limits.pauseAtShare) {
      this.pausing = true;
      return "PAUSE";
    }
    if (this.pausing !== false && share <= limits.resumeAtShare) {
      this.pausing = false;
      return "RESUME";
    }
    return undefined;
  }
}
