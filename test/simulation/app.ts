// An application: says things, gives tasks and does them, is slow, closes. What it does is drawn from its plan; when trouble is
// over it finishes what is open. It keeps its own books only to know what it may do next; the oracle keeps others.
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import type { DeliveredEnvelope } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { SessionMemory } from "../../sdk/typescript/src/journal-records.ts";
import type { End } from "./end.ts";
import { Reader } from "./reader.ts";
import type { World } from "./world.ts";

export interface Asked {
  task_id: string;
  data: string;
  open: boolean;
}

export class App {
  readonly #world: World;
  readonly #end: End;
  readonly #reader: Reader;
  /** What it asked for, in this life and earlier ones: kept where no crash of the client touches it. */
  readonly asked: Asked[];
  readonly #given: { task_id: string; open: boolean }[] = [];
  #said = 0;
  #asleep = false;
  #closing = false;
  constructor(world: World, end: End, asked: readonly Asked[]) {
    this.#world = world;
    this.#end = end;
    this.asked = [...asked];
    this.#reader = new Reader(world, end, (envelope) => this.#work(envelope));
  }

  get #mayTalk(): boolean {
    const { session, ended, keeper } = this.#end;
    if (session === undefined || ended || this.#closing || this.#reader.peerCloseSeq !== undefined) return false;
    // Before a session is open, its application has words for it only where it opened it, and keeps no journal.
    const { state } = session;
    if (state === "recovering" || state === "accepting") return false;
    return keeper === undefined || (state !== "offering" && !keeper.isWaiting);
  }

  /** Its turns come again and again. */
  start(): void {
    const { clock, dice, plan } = this.#world;
    const wait = plan.turns[this.#end.side] * 2 * dice.unit();
    // With a full outbox it only waits; there is no sense in counting its turns.
    const isFull = (this.#end.session?.backlog.messages ?? 0) > limits.windowMessages * 2;
    clock.after(isFull ? wait * 20 : wait, () => {
      if (this.#end.ended || this.#world.calm) return;
      this.#turn();
      this.start();
    });
  }

  sleep(ms: number): void {
    this.#asleep = true;
    this.#world.clock.after(ms, () => {
      this.#asleep = false;
    });
  }

  #turn(): void {
    const { dice, plan } = this.#world;
    const does = dice.weighted(plan.habits[this.#end.side]);
    if (does === "take") return this.#takeSome(1 + dice.below(limits.windowMessages));
    const isFull = (this.#end.session?.backlog.messages ?? 0) > limits.windowMessages * 2;
    if (!this.#mayTalk || isFull) return;
    if (does === "message") this.#message();
    else if (does === "burst") for (let i = dice.between(2, plan.burstMax); i > 0; i--) this.#message();
    else if (does === "request") this.#request();
    else if (does === "progress") this.#progress();
    else if (does === "respond") this.#respond();
    else if (does === "cancel") this.#cancel();
    else if (does === "repeat") this.#repeat();
    else if (does === "mischief") this.#mischief();
    else if (does === "close") this.close();
  }

  // --- talking

  #message(): void {
    const { dice, plan } = this.#world;
    const filler = "x".repeat(dice.below(plan.bytesMax + 1));
    this.#end.say("MESSAGE", `{"content":[${++this.#said},"${filler}"]}`);
  }

  #request(): void {
    const { dice, clock, mint, totals } = this.#world;
    const task_id = mint();
    const due = new Date(clock.now + dice.between(-100, 20_000)).toISOString();
    const deadline = dice.chance(0.2) ? `,"deadline":"${due}"` : "";
    const data = `{"task_id":"${task_id}","capability":"work","input":${++this.#said}${deadline}}`;
    this.asked.push({ task_id, data, open: true });
    totals.tasks++;
    this.#end.say("TASK_REQUEST", data);
  }

  #progress(): void {
    const task = this.#oneOf(this.#given.filter(({ open }) => open));
    if (task !== undefined) this.#end.say("TASK_PROGRESS", `{"task_id":"${task.task_id}","progress":${++this.#said}}`);
  }

  #respond(): void {
    const task = this.#oneOf(this.#given.filter(({ open }) => open));
    if (task !== undefined) this.#answer(task);
  }

  #answer(task: { task_id: string; open: boolean }): void {
    task.open = false;
    const status = this.#world.dice.pick(["succeeded", "succeeded", "failed", "cancelled"]);
    this.#end.say("TASK_RESPONSE", `{"task_id":"${task.task_id}","status":"${status}","result":${++this.#said}}`);
  }

  #cancel(): void {
    const task = this.#oneOf(this.asked.filter(({ open }) => open));
    if (task !== undefined) this.#end.say("TASK_CANCEL", `{"task_id":"${task.task_id}"}`);
  }

  #repeat(): void {
    const task = this.#oneOf(this.asked);
    if (task === undefined) return;
    task.open = true;
    this.#end.say("TASK_REQUEST", task.data);
  }

  #mischief(): void {
    const { dice, mint } = this.#world;
    const given = this.#oneOf(this.#given)?.task_id ?? mint();
    const asked = this.#oneOf(this.asked)?.task_id ?? mint();
    const n = ++this.#said;
    switch (dice.below(5)) {
      case 0:
        return void this.#end.say("TASK_RESPONSE", `{"task_id":"${given}","status":"failed","result":${n}}`);
      case 1:
        return void this.#end.say("TASK_RESPONSE", `{"task_id":"${asked}","status":"succeeded","result":${n}}`);
      case 2:
        return void this.#end.say("TASK_REQUEST", `{"task_id":"${asked}","capability":"work","input":"other ${n}"}`);
      case 3:
        return void this.#end.say("TASK_PROGRESS", `{"task_id":"${given}","progress":${n}}`);
      default:
        return void this.#end.say("TASK_CANCEL", `{"task_id":"${given}"}`);
    }
  }

  #oneOf<T>(list: readonly T[]): T | undefined {
    return list[this.#world.dice.below(list.length)];
  }

  close(): void {
    if (!this.#mayTalk) return;
    this.#closing = true;
    this.#end.say("SESSION_CLOSE", "{}");
  }

  // --- hearing

  hear(event: ClientEvent): void {
    if (event.kind === "work") {
      this.#reader.hear(event.envelope);
      if (this.#world.calm || (this.#world.plan.quick[this.#end.side] && !this.#asleep)) {
        this.#takeSome(Number.POSITIVE_INFINITY);
      }
    } else if (event.kind === "recovered") {
      this.#closing = event.closing;
      for (const task of this.asked) task.open = event.requested.includes(task.task_id);
    } else if (event.kind === "receipts" && this.#reader.peerCloseSeq !== undefined) {
      this.#takeSome(Number.POSITIVE_INFINITY);
    }
  }

  /** What its journal says of an earlier life. */
  recall({ closing, requested }: SessionMemory): void {
    this.#closing = closing !== undefined;
    for (const task of this.asked) task.open = requested.has(task.task_id);
  }

  /** Tasks that an earlier life had begun. */
  begin(tasks: readonly string[]): void {
    for (const task_id of tasks) this.#given.push({ task_id, open: true });
  }

  #work(envelope: DeliveredEnvelope): void {
    switch (envelope.type) {
      case "TASK_REQUEST":
        // Given again while it is being done: it is done once.
        if (this.#given.every(({ task_id, open }) => task_id !== envelope.data.task_id || !open))
          this.#given.push({ task_id: envelope.data.task_id, open: true });
        if (this.#world.calm && this.#mayTalk) this.finish();
        return;
      case "TASK_CANCEL":
        for (const task of this.#given) {
          if (task.task_id !== envelope.data.task_id || !task.open) continue;
          if (this.#mayTalk && this.#world.dice.chance(0.6)) this.#answer(task);
        }
        return;
      case "TASK_RESPONSE":
        for (const task of this.asked) if (task.task_id === envelope.data.task_id) task.open = false;
        return;
    }
  }

  #takeSome(count: number): void {
    if (this.#end.life !== "alive" || (this.#asleep && !this.#world.calm)) return;
    this.#reader.take(count);
    this.#end.flush();
  }

  /** Trouble is over: everything heard is taken, every task that was given is answered. */
  finish(): void {
    this.#asleep = false;
    this.#end.pausing.want(false);
    for (const task of this.#given) if (task.open && this.#mayTalk) this.#answer(task);
    this.#takeSome(Number.POSITIVE_INFINITY);
    this.#end.flush();
  }
}
