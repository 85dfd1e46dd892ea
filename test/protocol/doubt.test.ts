// What neither end can see: frames that were stored and never left, and a storage that was put back to an older one.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { Link, mint } from "./link.ts";
import { deafen, errorsOf, Raw } from "./raw.ts";

const relayLost = ["relay_lost"];

/** Both attached, one message stored for B and not acknowledged. */
function withOneUnderWay(): Raw {
  const link = Raw.accepted();
  link.now = 1_700_000_000_000;
  link.say(link.a, link.message(1));
  deafen(link.a, link.b);
  return link;
}

describe("a broker that lost its memory", () => {
  it("[A9] tells the side that did not ask, when the other resumes", () => {
    const link = withOneUnderWay();
    link.evict();
    link.say(link.a, link.resume(0, 2, 2));
    expect(errorsOf(link.b)).toEqual(relayLost);
    expect(errorsOf(link.a)).toEqual([]);
  });

  it("[A9] says nothing where its memory was kept, everything is acknowledged, or nobody is attached", () => {
    const kept = withOneUnderWay();
    kept.say(kept.a, kept.resume(0, 2, 2));
    expect(errorsOf(kept.b)).toEqual([]);

    const done = withOneUnderWay();
    done.evict();
    done.say(done.b, done.ack(1));
    done.say(done.a, done.resume(0, 2, 2));
    expect(errorsOf(done.b)).toEqual([]);

    const gone = withOneUnderWay();
    gone.event((broker) => broker.detached(1, gone.b.attach, gone.now));
    gone.evict();
    gone.say(gone.a, gone.resume(0, 2, 2));
    expect(errorsOf(gone.b)).toEqual([]);
  });

  it("[A9] says it again only after L15, however often it loses its memory", () => {
    const link = withOneUnderWay();
    const resume = () => {
      deafen(link.b);
      link.evict();
      link.say(link.a, link.resume(0, 2, 2));
      return errorsOf(link.b);
    };
    expect([resume(), resume()]).toEqual([relayLost, []]);
    link.now += limits.ackStallMs;
    expect(resume()).toEqual(relayLost);
  });
});

describe("an idle session that expires", () => {
  /** Five messages, all acknowledged; then nothing for a day, and a broker without memory. */
  function idle(attached: boolean): Raw {
    const link = Raw.accepted();
    link.now = 1_700_000_000_000;
    link.say(link.a, ...link.messages(1, 5));
    link.say(link.b, link.ack(5));
    deafen(link.a, link.b);
    if (!attached) link.event((broker) => broker.detached(1, link.b.attach, link.now));
    link.evict();
    link.now += limits.sessionIdleMs;
    link.wake();
    return link;
  }
  const deadLetters = ({ broker }: Raw) => broker.progress[0].waiting;

  it("[A9, D1, N11] asks first what was acknowledged: what was is no dead letter", () => {
    const link = idle(true);
    expect(link.store.record?.state).toBe("active");
    expect([errorsOf(link.a), errorsOf(link.b)]).toEqual([[], relayLost]);
    link.say(link.b, link.resume(5, 1, 1, { ack: 5 }));
    link.evict();
    link.now += limits.ackStallMs;
    link.wake();
    expect(link.store.record?.state).toBe("expired");
    expect(deadLetters(link)).toBe(0);
  });

  it("[A9, D1] asks once: who does not answer, and who is away, leaves dead letters", () => {
    const silent = idle(true);
    silent.evict();
    silent.now += limits.ackStallMs;
    silent.wake();
    expect(silent.store.record?.state).toBe("expired");
    expect(deadLetters(silent)).toBe(5);

    const away = idle(false);
    expect(away.store.record?.state).toBe("expired");
    expect(deadLetters(away)).toBe(5);
  });

  it("[N11] whose broker remembers expires at once", () => {
    const link = Raw.accepted();
    link.say(link.a, link.message(1));
    link.now += limits.sessionIdleMs;
    link.wake();
    expect(link.store.record?.state).toBe("expired");
    expect(errorsOf(link.b)).toEqual([]);
  });
});

describe("a client", () => {
  const half = (link: Link) => {
    if (link.a.session === undefined || link.b.session === undefined) throw new Error("no session");
    return { a: link.a.session, b: link.b.session };
  };

  it("[L28] names what it waits for: nothing, what is not delivered, and the end of a session that is closing", () => {
    const link = Link.open();
    const { a, b } = half(link);
    expect(a.awaited).toBeUndefined();
    link.b.takes = false;
    a.send("MESSAGE", mint(), { content: 1 });
    const queued = a.awaited;
    link.run();
    const stored = a.awaited;
    expect(new Set([queued, stored, undefined]).size).toBe(3);
    b.take(1);
    link.run();
    expect(a.awaited).toBeUndefined();
    link.b.takes = true;
    // The last word never comes: both go on waiting for it.
    link.loses = (_, frame) => frame.includes("SESSION_CLOSED");
    a.send("SESSION_CLOSE", mint(), {});
    link.run();
    expect([a.awaited, b.awaited]).not.toContain(undefined);
  });

  it("[A10] ends the session when a number comes again with another id, and takes the same one for what it is", () => {
    const link = Link.open();
    const { a, b } = half(link);
    a.send("MESSAGE", mint(), { content: 1 });
    link.run();
    const [first] = link.b.got.filter(({ type }) => type === "MESSAGE");
    if (first?.type !== "MESSAGE") throw new Error("no message");
    expect(b.receive(first)).toEqual([]);
    expect(b.receive({ ...first, id: mint() })).toMatchObject([{ kind: "ended", reason: "stream_mismatch" }]);
  });

  it("[A11] learns by the resume which requests were stored unheard, and only those", () => {
    const link = Link.open();
    const { a } = half(link);
    const task = (n: number) => ({ task_id: mint(), capability: "c", input: n });
    const [heard, unheard] = [task(1), task(2)];
    a.send("TASK_REQUEST", mint(), heard);
    link.run();
    a.send("TASK_REQUEST", mint(), unheard);
    a.send("MESSAGE", mint(), { content: 1 });
    // Stored; the answer, a refusal perhaps, goes down with the connection.
    link.loses = (to) => to === link.a;
    link.run();
    link.loses = undefined;
    link.a.heard = [];
    link.a.reconnect();
    link.run();
    const events = link.a.heard.filter((event) => event.kind === "unheard" || event.kind === "resumed");
    expect(events).toEqual([{ kind: "resumed" }, { kind: "unheard", requests: [JSON.stringify(unheard)] }]);
    link.a.heard = [];
    link.a.reconnect();
    link.run();
    expect(link.a.heard.map(({ kind }) => kind)).not.toContain("unheard");
  });
});
