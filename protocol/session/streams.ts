// The two ends of one numbered stream: SendStream gives out `seq` and waits for acknowledgements, ReceiveStream judges
// what arrives. Both halves of the protocol, broker and client, are built over these (PROTOCOL, Streams). Pure state.

/** Something that occupies the numbers first…last of a stream. An empty span (last = first − 1) takes no number. */
export interface Span {
  first: number;
  last: number;
  bytes: number;
}

export class SendStream<T extends Span> {
  /** The next number to give out. */
  next = 1;
  /** Everything through this was acknowledged. */
  acked = 0;
  /** Everything through this was handed to the present attachment. */
  sent = 0;
  /** Bytes not yet acknowledged. */
  bytes = 0;
  #spans: T[] = [];

  /** Numbers given out and not acknowledged. */
  get waiting(): number {
    return this.next - 1 - this.acked;
  }

  /** What is not wholly acknowledged, oldest first. */
  get spans(): readonly T[] {
    return this.#spans;
  }

  /** Takes a span that starts at `next`. */
  append(span: T): void {
    if (span.first !== this.next) throw new Error(`span starts at ${span.first}, not at ${this.next}`);
    this.next = span.last + 1;
    this.bytes += span.bytes;
    this.#spans.push(span);
  }

  /**
   * A cumulative acknowledgement; older ones change nothing (S5).
   * @returns the spans that are wholly acknowledged by it
   */
  acknowledge(seq: number): T[] {
    if (seq < this.acked || seq >= this.next) return [];
    this.acked = seq;
    if (this.sent < seq) this.sent = seq;
    let done = 0;
    for (const span of this.#spans) {
      if (span.last > seq) break;
      this.bytes -= span.bytes;
      done++;
    }
    return this.#spans.splice(0, done);
  }

  /** Begins where another life of this end had come to: everything through `last` is done. Only while nothing is queued. */
  startAfter(last: number): void {
    if (this.#spans.length > 0) throw new Error("a stream that holds something cannot begin anew");
    this.next = last + 1;
    this.acked = last;
    this.sent = last;
  }

  /** A new attachment has everything through `received`: all after it is to be sent again (S8), but for what is acknowledged. */
  rewind(received: number): void {
    this.sent = Math.max(received, this.acked);
  }

  /**
   * What may be handed over now: whole spans, in order, while no more than `messages` and `bytes` are in flight.
   * At least one span may go when nothing is in flight, so that a large one is never stuck.
   */
  sendable(messages: number, bytes: number): T[] {
    const ready: T[] = [];
    let flying = 0;
    for (const span of this.#spans) {
      flying += span.bytes;
      if (span.last <= this.sent) continue;
      const over = span.last - this.acked > messages || flying > bytes;
      if (over && (ready.length > 0 || this.sent > this.acked)) break;
      ready.push(span);
    }
    return ready;
  }
}

export type Verdict = "next" | "duplicate" | "gap";

export class ReceiveStream {
  /** Everything through this was accepted. */
  last = 0;

  /** S2, S3, S4: the next one is taken, an older one is a duplicate, anything beyond is a gap. Changes nothing. */
  judge(seq: number): Verdict {
    if (seq <= this.last) return "duplicate";
    return seq === this.last + 1 ? "next" : "gap";
  }
}
