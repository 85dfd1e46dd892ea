// Any interleaving of what may happen to a session: sends, cuts, late frames, lost frames, evictions, pauses, slow applications.
// The oracle is what the two applications said and heard, nothing of the implementation.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import { decodeBrokerFrame } from "../../protocol/wire/codec.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { type End, memories, mint } from "./link.ts";
import { Pipes } from "./pipes.ts";

type Step =
  | { do: "say"; side: 0 | 1; count: number; bytes: number }
  | { do: "send" | "arrive" | "answer" | "deliver" | "cut" | "reconnect" | "lose" | "pause" | "unpause"; side: 0 | 1 }
  | { do: "take"; side: 0 | 1; count: number }
  | { do: "evict" | "hasten" };

const side = fc.constantFrom<0 | 1>(0, 1);
const plain = (...names: Exclude<Step["do"], "say" | "take" | "evict" | "hasten">[]) =>
  fc.record({ do: fc.constantFrom(...names), side });
const saying = (count: number, bytes: number) =>
  fc.record({ do: fc.constant("say" as const), side, count: fc.nat(count), bytes: fc.nat(bytes) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: saying(200, 60) },
  { weight: 1, arbitrary: saying(6, 200_000) },
  { weight: 12, arbitrary: plain("send", "arrive", "answer", "deliver") },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), side, count: fc.nat(300) }) },
  { weight: 2, arbitrary: plain("pause", "unpause", "lose") },
  { weight: 2, arbitrary: plain("cut", "reconnect") },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ do: "evict" }, { do: "hasten" }) },
);

/** The run of one case: the steps, and after each of them what must hold. */
class Run {
  readonly link: Pipes;
  readonly said: [number, number] = [0, 0];
  /** The `seq` of each that was heard. */
  readonly seqs: [number[], number[]] = [[], []];
  readonly taken: [number, number] = [0, 0];

  constructor(evicting: boolean, opened: boolean) {
    this.link = new Pipes({ evicting });
    for (const end of this.link.ends) end.takes = false;
    this.link.a.session = ClientSession.offer(this.link.session_id, "analyst", undefined, mint);
    if (opened) this.link.drain();
    else {
      this.link.send(this.link.a);
      this.link.arriveNext(this.link.a);
    }
  }

  /** The application hears: in order, once, and nothing that was not said. */
  hear(side: 0 | 1): void {
    const end = this.link.ends[side];
    end.got = [];
    for (const event of end.heard.splice(0)) {
      if (event.kind !== "work" || event.envelope.type !== "MESSAGE") continue;
      const [n] = event.envelope.data.content as [number];
      const due = this.seqs[side].push(event.envelope.seq);
      if (n !== due) throw new Error(`heard ${n} as number ${due}`);
      if (n > this.said[side === 0 ? 1 : 0]) throw new Error("heard what nobody said");
    }
  }

  take(side: 0 | 1, count: number): void {
    this.taken[side] = Math.min(this.taken[side] + count, this.seqs[side].length);
    const seq = this.seqs[side][this.taken[side] - 1];
    if (seq !== undefined) this.link.ends[side].session?.take(seq);
  }

  say(side: 0 | 1, count: number, bytes: number): void {
    const filler = "x".repeat(bytes);
    const { session } = this.link.ends[side];
    for (let i = 0; session !== undefined && i < count; i++)
      session.send("MESSAGE", mint(), { content: [++this.said[side], filler] });
  }

  /** PAUSE and RESUME are the application's; only a session that is attached passes them on. */
  flow(end: End, type: "PAUSE" | "RESUME"): void {
    if (end.up && end.session?.state === "ready") this.link.say(end, { type, session_id: this.link.session_id });
  }

  perform(step: Step): void {
    const { link } = this;
    const end = "side" in step ? link.ends[step.side] : link.a;
    switch (step.do) {
      case "say":
        return this.say(step.side, step.count, step.bytes);
      case "take":
        return this.take(step.side, step.count);
      case "send":
        link.send(end);
        return;
      case "arrive":
        link.arriveNext(end);
        return;
      case "answer":
      case "deliver":
        link.hearNext(end, step.do === "answer");
        return;
      case "cut":
        return link.cut(end);
      case "reconnect":
        if (!end.up) end.reconnect();
        return;
      case "lose":
        return link.lose(end);
      case "pause":
        return this.flow(end, "PAUSE");
      case "unpause":
        return this.flow(end, "RESUME");
      case "evict":
        return link.evict();
      case "hasten":
        return link.drain();
    }
  }

  check(): void {
    for (const side of [0, 1] as const) {
      this.hear(side);
      const rows = this.link.store.rows[side === 0 ? 1 : 0];
      if (rows.size > limits.ringRowsMax) throw new Error("more rows than the ring has");
      const stored = Math.max(0, ...[...rows.values()].map((row) => row.last));
      const waiting = stored - this.taken[side];
      if (waiting > limits.windowMessages + limits.cursorLagMessagesMax)
        throw new Error(`${waiting} stored and not taken`);
    }
    for (const effect of this.link.log.splice(0)) {
      if (effect.do !== "send" && effect.do !== "reply") continue;
      for (const frame of effect.do === "send" ? effect.frames : effect.lines) {
        for (const line of decodeBrokerFrame(frame)) {
          if (!line.ok) throw new Error(`the broker sent ${line.fault.reason}`);
          const { envelope } = line;
          if (envelope.type !== "ERROR" || this.link.store.record?.state === "rejected") continue;
          const { reason } = envelope.data;
          const isHonest = !["sequence_gap", "session_not_attached", "relay_lost"].includes(String(reason));
          if (isHonest) throw new Error(`an honest client got ${reason}`);
        }
      }
    }
  }

  /** The network heals, the applications take what there is. */
  heal(): void {
    const { link } = this;
    for (const end of link.ends) {
      end.takes = true;
      link.cut(end);
      end.reconnect();
    }
    for (const side of [0, 1] as const) this.take(side, Number.POSITIVE_INFINITY);
    link.drain();
    for (const side of [0, 1] as const) {
      this.hear(side);
      this.take(side, Number.POSITIVE_INFINITY);
    }
    this.check();
  }
}

describe.each(memories)("any interleaving (evicting: $evicting)", ({ evicting }) => {
  it("[S1, S2, S3, S4, S8, W2, A6, F8] each end gets exactly what was sent, in order, once; storage stays bounded", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { maxLength: 300, size: "max" }), (opened, steps) => {
        const run = new Run(evicting, opened);
        for (const one of steps) {
          run.perform(one);
          run.check();
        }
        run.heal();
        // The responder was away while the initiator asked again.
        if (!opened && run.link.store.record?.state === "rejected") return;
        expect([run.seqs[1].length, run.seqs[0].length]).toEqual(run.said);
        run.link.a.session?.send("SESSION_CLOSE", mint(), {});
        run.link.drain();
        expect(run.link.store.record?.state).toBe("closed");
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
