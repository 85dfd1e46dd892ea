// Clients that died and remembered: a session recalled from what was kept goes on as after any disconnect.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEnvelope } from "../../protocol/wire/envelope.ts";
import { type End, Link, memories, mint } from "./link.ts";
import { Pipes } from "./pipes.ts";
import { errorsOf } from "./raw.ts";

function half(end: End): ClientSession {
  if (end.session === undefined) throw new Error(`${end.name} has no session`);
  return end.session;
}
const send = (end: End, ...contents: unknown[]) =>
  contents.map((content) => half(end).send("MESSAGE", mint(), { content }));
const contentsOf = (end: End) => end.work().map((data) => (data as { content: unknown }).content);
const parsed = (lines: string[]) => lines.map((line): ClientEnvelope => JSON.parse(line));

/** The end's process dies; its next one has only what was remembered, by way of JSON. */
function die(end: End): void {
  end.session = ClientSession.recall(JSON.parse(JSON.stringify(half(end).remembered)), mint);
  end.reconnect();
}

describe.each(memories)("a client that remembers (evicting: $evicting)", (options) => {
  it("[A2, A6] resumes from what it had taken, and says again what was not stored: the same lines", () => {
    const link = Link.open(options);
    send(link.a, "stored");
    send(link.b, "one", "two");
    link.run();
    const queued = send(link.a, "queued", "too");
    const lines = half(link.a).remembered.lines;
    die(link.a);
    const [resume] = parsed(half(link.a).lines());
    expect(resume).toMatchObject({ type: "SESSION_RESUME", ack: 2, data: { received: 2, first: 2, next: 4 } });
    half(link.a).reattach();
    link.say(link.a, ...parsed(half(link.a).lines()));
    expect([half(link.a).state, half(link.a).peer]).toEqual(["ready", "analyst"]);
    expect(half(link.a).lines()).toEqual(lines);
    half(link.a).reattach();
    expect(send(link.a, "later")).toEqual([(queued.at(-1) ?? 0) + 1]);
    link.run();
    expect(contentsOf(link.b)).toEqual(["stored", "queued", "too", "later"]);
    expect(errorsOf(link.a)).toEqual([]);
  });

  it("[A2, S8] what had come and was not taken comes again", () => {
    const link = Link.open(options);
    link.b.takes = false;
    send(link.a, 1, 2, 3);
    link.run();
    half(link.b).take(1);
    die(link.b);
    link.b.heard = [];
    link.b.takes = true;
    link.run();
    expect(contentsOf(link.b)).toEqual([2, 3]);
    expect(half(link.a).backlog.messages).toBe(0);
  });

  it("[N7] a close that was queued is still the last word, and the session ends", () => {
    const link = Link.open(options);
    send(link.a, "last");
    half(link.a).send("SESSION_CLOSE", mint(), { reason: "done" });
    die(link.a);
    link.run();
    expect(link.b.work()).toEqual([{ content: "last" }, { reason: "done" }]);
    expect([half(link.a).state, half(link.b).state, link.store.record?.state]).toEqual(["ended", "ended", "closed"]);
  });

  it("[A2] a session that ended meanwhile is closed, and one that another life went on with says gap", () => {
    const link = Link.open(options);
    send(link.a, 1);
    const { lines } = half(link.a).remembered;
    const before = half(link.a).remembered;
    link.run();
    send(link.a, 2);
    link.run();
    link.a.session = ClientSession.recall(before, mint);
    expect(before.lines).toEqual(lines);
    link.a.reconnect();
    link.run();
    expect(link.a.heard.at(-1)).toMatchObject({ kind: "ended", reason: "resume_gap" });
    half(link.b).send("SESSION_CLOSE", mint(), {});
    die(link.b);
    link.run();
    link.now += 25 * 60 * 60 * 1000;
    link.wake();
    die(link.b);
    link.run();
    expect(link.b.heard.at(-1)).toMatchObject({ kind: "ended", reason: "resume_closed" });
  });

  it("[S1, S2] lines that do not follow what was stored are no memory", () => {
    const link = Link.open(options);
    send(link.a, 1, 2);
    const remembered = half(link.a).remembered;
    expect(() => ClientSession.recall({ ...remembered, stored: 1 }, mint)).toThrow(/starts at 1/);
  });

  it("[A6, S3] whenever either end dies, with frames of before still under way: each once, in order", () => {
    const steps = fc.array(fc.tuple(fc.nat(7), fc.boolean()), { minLength: 20, maxLength: 120 });
    fc.assert(
      fc.property(steps, (chosen) => {
        const link = new Pipes(options);
        link.a.session = ClientSession.offer(link.session_id, "analyst", undefined, mint);
        link.drain();
        const sent: [number[], number[]] = [[], []];
        for (const [step, side] of chosen) {
          const [end, mine] = side ? [link.b, sent[1]] : [link.a, sent[0]];
          if (step === 0) {
            link.cut(end);
            die(end);
          } else if (step <= 2) {
            mine.push(mine.length + 1);
            send(end, mine.length);
          } else if (step <= 4) link.send(end);
          else if (step === 5) link.arriveNext(end);
          else link.hearNext(end, step === 6);
        }
        link.drain();
        expect([contentsOf(link.b), contentsOf(link.a)]).toEqual(sent);
      }),
      { numRuns: 150 },
    );
  });
});
