// The broker's half in memory under fuzz: frames are read as the objects read them, effects are carried out as `SessionObject`
// does, and every output is judged before it counts.
import { decodeDirect, decodeRelayed, type Read } from "../../durable-objects/reading.ts";
import type { BrokerSession } from "../../protocol/session/broker.ts";
import type { Effect, Output } from "../../protocol/session/effects.ts";
import type { Side } from "../../protocol/session/tasks.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { routeFrame } from "../../protocol/wire/route.ts";
import { End, Link } from "../protocol/link.ts";
import { restore, type Start } from "./core-states.ts";
import { judgeClose, judgeFrame, must } from "./oracle.ts";
import type { Moment } from "./samples.ts";

/** Rows, then frames, then notices. */
const rank: Record<Effect["do"], number> = {
  store: 0,
  cursors: 0,
  record: 1,
  forget: 2,
  task: 2,
  cancelTasks: 2,
  redriven: 2,
  reply: 3,
  send: 4,
  replay: 4,
  close: 4,
  offer: 5,
  index: 5,
  erase: 5,
};

export class CoreLink extends Link {
  readonly stranger = new End("stranger");
  readonly started: Start;
  /** Of each direction: the sender's last `seq` that is stored, and the last towards the receiver. */
  readonly #origin: [number, number] = [0, 0];
  readonly #last: [number, number] = [0, 0];
  #sentChars = 0;
  #replayed = 0;
  #offers = 0;

  constructor(start: Start) {
    super({ answering: false });
    this.started = start;
    restore(this.store, start);
    this.now = start.now;
    this.a.attach = start.attaches[0];
    this.b.attach = start.attaches[1];
    for (const stream of [0, 1] as const) for (const row of this.store.rows[stream].values()) this.#note(stream, row);
    this.evict();
  }

  #note(stream: Side, { origin, last }: { origin: number; last: number }): void {
    this.#origin[stream] = Math.max(this.#origin[stream], origin);
    this.#last[stream] = Math.max(this.#last[stream], last);
  }

  /** Where the session stands, as that speaker would see it. */
  moment(by: 0 | 1 | 2): Moment {
    const side = by === 1 ? 1 : 0;
    return {
      session_id: this.started.session_id,
      epoch: this.store.record?.epoch ?? "none",
      me: this.speaker(by).name,
      peer: by === 1 ? "planner" : "analyst",
      next: this.#origin[side] + 1,
      sent: this.#last[side === 0 ? 1 : 0],
      id: "",
      task_id: "",
    };
  }

  speaker(by: 0 | 1 | 2): End {
    return by === 2 ? this.stranger : this.ends[by];
  }

  override event(give: (broker: BrokerSession) => Output, replyTo?: End, attach = replyTo?.attach): void {
    super.event((broker) => this.#judge(give(broker), replyTo), replyTo, attach);
  }

  #judge(output: Output, from: End | undefined): Output {
    let before = 0;
    for (const effect of output.effects) {
      must(rank[effect.do] >= before, `${effect.do} comes too late`);
      before = rank[effect.do];
      // A stranger changes nothing; only where there was no session it may begin one.
      if (from === this.stranger && this.started.store.record !== undefined)
        must(effect.do === "reply", `a stranger's frame led to ${effect.do}`);
      this.#judgeEffect(effect);
    }
    const { deadline } = output;
    must(deadline === undefined || Number.isSafeInteger(deadline), `an alarm at ${deadline}`);
    return output;
  }

  #judgeEffect(effect: Effect): void {
    if (effect.do === "reply") for (const line of effect.lines) this.#judgeSent(line);
    else if (effect.do === "send") for (const frame of effect.frames) this.#judgeSent(frame);
    else if (effect.do === "offer") {
      this.#offers++;
      this.#judgeSent(effect.line);
    } else if (effect.do === "replay") this.#replayed += effect.last - effect.first + 1;
    else if (effect.do === "close") judgeClose(effect.code);
    else if (effect.do === "store") {
      this.#note(effect.row.stream, effect.row);
      must(effect.row.bytes <= 2 * limits.frameBytesMax, "a row of more than a frame");
    }
  }

  #judgeSent(frame: string): void {
    this.#sentChars += frame.length;
    must(frame.length <= 2 * limits.frameBytesMax, "a frame of more than 1 MiB (F7)", frame);
    must(judgeFrame(frame).length <= limits.frameEnvelopesMax, "a frame of too many envelopes (F7)");
  }

  /** A frame of that speaker's, on its connection or on a direct socket. Answers how much of it was for this session. */
  give(by: 0 | 1 | 2, text: string, direct: boolean): void {
    const end = this.speaker(by);
    const { session_id } = this.started;
    this.#sentChars = 0;
    this.#replayed = 0;
    this.#offers = 0;
    const reads: Read[] = direct
      ? [decodeDirect(text, end.name, session_id)]
      : routeFrame(text).flatMap((step) =>
          step.to === "session" && step.session_id === session_id
            ? [decodeRelayed(step.lines.join("\n"), end.name)]
            : [],
        );
    let answers = 0;
    for (const { faults, envelopes, close } of reads) {
      for (const fault of faults) this.#judgeSent(fault);
      answers += faults.length + envelopes.length;
      if (close !== undefined) judgeClose(close);
      if (envelopes.length === 0) continue;
      this.event((broker) => broker.receive({ agent: end.name, attach: end.attach, envelopes }, this.now), end);
    }
    this.#judgeAmount(text.length, answers);
  }

  /** What may be said because of one frame: a little for each line, what was in it, and what was stored and asked for. */
  #judgeAmount(charsIn: number, lines: number): void {
    const { record, tasks } = this.store;
    const responses = Math.max(0, ...[...tasks.values()].map(({ response }) => response?.length ?? 0));
    const allowed = 4_096 * (lines + 8) + 3 * charsIn + lines * responses + (record?.offer.length ?? 0);
    must(this.#sentChars <= allowed, `${this.#sentChars} characters said, ${allowed} are allowed`);
    must(this.#offers <= 1, `${this.#offers} offers because of one frame`);
    must(this.#replayed <= limits.ringRowsMax, `${this.#replayed} envelopes replayed because of one frame`);
    for (const stream of [0, 1] as const) {
      const rows = this.store.rows[stream];
      must(rows.size <= limits.ringRowsMax, `${rows.size} rows in the ring`);
    }
  }
}
