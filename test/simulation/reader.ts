// The reading half of an application: what has come and is not taken. One with a journal hears of a thing when it takes it, here
// and there out of order; one without may work on what it has not taken yet.
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import type { End } from "./end.ts";
import type { Unread } from "./keeper.ts";
import type { World } from "./world.ts";

export class Reader {
  readonly #world: World;
  readonly #end: End;
  readonly #work: (envelope: DeliveredEnvelope) => void;
  #unread: Unread[] = [];
  /** The peer has closed: after this it has nothing more to say. */
  peerCloseSeq: number | undefined;

  /** @param work does something with what came */
  constructor(world: World, end: End, work: (envelope: DeliveredEnvelope) => void) {
    this.#world = world;
    this.#end = end;
    this.#work = work;
  }

  hear(envelope: DeliveredEnvelope): void {
    const { keeper } = this.#end;
    const slot = keeper === undefined ? { seq: envelope.seq, taken: false, envelope } : keeper.arrived(envelope);
    if (slot === undefined) return;
    this.#unread.push(slot);
    if (envelope.type === "SESSION_CLOSE") this.peerCloseSeq = envelope.seq;
    if (keeper === undefined) this.#work(envelope);
  }

  /** Takes up to so many; the peer's close only when what this side said before is stored (N8). */
  take(count: number): void {
    const { session } = this.#end;
    // The broker may say something after the peer's close: nothing from the close on is taken while words are left.
    const isHeld = this.peerCloseSeq !== undefined && (session?.backlog.messages ?? 0) > 0;
    const held = isHeld ? this.#unread.findIndex(({ seq }) => seq === this.peerCloseSeq) : -1;
    const most = Math.min(count, held < 0 ? this.#unread.length : held);
    if (this.#end.keeper === undefined) {
      const last = this.#unread.splice(0, most).at(-1);
      if (last !== undefined) this.#end.took(last.seq);
    } else for (let left = most; left > 0 && this.#takeOne(left); left--);
  }

  /** @returns false: that was the end of the program */
  #takeOne(most: number): boolean {
    const { dice } = this.#world;
    const [slot] = this.#unread.splice(dice.chance(0.1) ? dice.below(most) : 0, 1);
    if (slot === undefined || this.#end.keeper?.take(slot) === false) return false;
    this.#work(slot.envelope);
    return !this.#end.ended;
  }
}
