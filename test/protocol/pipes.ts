// A Link whose frames take time: each connection is two queues to the client (answers and deliveries, which may overtake each
// other, as RPC results and calls do) and one to the broker. A test moves one frame at a time, and may lose what is under way.
import { errorLine } from "../../protocol/wire/codec.ts";
import { type End, Link, type LinkOptions } from "./link.ts";

interface Queues {
  answers: string[][];
  deliveries: string[][];
  /** Also of connections that are gone: they may arrive late. */
  toBroker: { attach: string; lines: string[] }[];
}

const noQueues = (): Queues => ({ answers: [], deliveries: [], toBroker: [] });

export class Pipes extends Link {
  readonly #queues = new Map<End, Queues>();

  constructor(options: LinkOptions = {}) {
    super(options);
    for (const end of this.ends) this.#queues.set(end, noQueues());
  }

  #of(end: End): Queues {
    const queues = this.#queues.get(end);
    if (queues === undefined) throw new Error(`no queues for ${end.name}`);
    return queues;
  }

  protected override carry(end: End, attach: string, frames: string[], isAnswer: boolean): boolean {
    if (!end.up || end.attach !== attach) return false;
    const queues = this.#of(end);
    (isAnswer ? queues.answers : queues.deliveries).push(frames);
    return true;
  }

  /** The end sends what it has now: one frame. True when there was one. */
  send(end: End): boolean {
    const lines = end.up ? (end.session?.lines() ?? []) : [];
    if (lines.length > 0) this.#of(end).toBroker.push({ attach: end.attach, lines });
    return lines.length > 0;
  }

  /** The oldest frame of the end's reaches the broker. */
  arriveNext(end: End): boolean {
    const frame = this.#of(end).toBroker.shift();
    if (frame === undefined) return false;
    const envelopes = frame.lines.map((line) => JSON.parse(line));
    this.arrive(end, frame.attach, envelopes);
    return true;
  }

  /** The oldest answer (or delivery) reaches the end. */
  hearNext(end: End, answer: boolean): boolean {
    const queues = this.#of(end);
    const frames = (answer ? queues.answers : queues.deliveries).shift();
    if (frames === undefined) return false;
    this.hear(end, frames);
    return true;
  }

  /** The connection is gone, with everything on its way to the client; what the client sent may still arrive. */
  cut(end: End): void {
    end.up = false;
    const queues = this.#of(end);
    queues.answers = [];
    queues.deliveries = [];
  }

  /** The relay lost the end's next frame, and says so. */
  lose(end: End): void {
    if (this.#of(end).toBroker.shift() === undefined || !end.up) return;
    this.carry(end, end.attach, [errorLine({ reason: "relay_lost", session_id: this.session_id })], true);
  }

  /** Everything moves until nothing does. */
  drain(rounds = 5_000): void {
    for (let moved = true; moved; rounds--) {
      if (rounds === 0) throw new Error("the pipes never came to rest");
      moved = false;
      for (const end of this.ends) {
        moved = this.send(end) || moved;
        moved = this.arriveNext(end) || moved;
        moved = this.hearNext(end, true) || moved;
        moved = this.hearNext(end, false) || moved;
      }
    }
  }
}
