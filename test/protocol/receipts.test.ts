// Receipts that wait for company: a client's choice that the broker never notices, and the broker's own in a busy stream.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { Link, mint } from "./link.ts";

const typesOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).type);

function receiving(messages: number): Link {
  const link = Link.open();
  link.say(
    link.a,
    ...Array.from({ length: messages }, (_, i) => ({
      type: "MESSAGE",
      id: mint(),
      session_id: link.session_id,
      seq: i + 1,
      data: { content: i },
    })),
  );
  return link;
}

it("[B3] keeps a receipt back until it is asked for", () => {
  const session = receiving(3).b.session;
  expect(session?.lines("later")).toEqual([]);
  expect(session?.owesReceipt).toBe(true);
  expect(typesOf(session?.lines("now") ?? [])).toEqual(["MESSAGE_ACK"]);
  expect(session?.owesReceipt).toBe(false);
});

it("[B3] sends it with the next work", () => {
  const session = receiving(3).b.session;
  session?.send("MESSAGE", mint(), { content: "company" });
  expect(typesOf(session?.lines("later") ?? [])).toEqual(["MESSAGE", "MESSAGE_ACK"]);
});

it("[B3, L17] does not keep back what covers many messages", () => {
  expect(limits).toMatchObject({ receiptDelayMs: 5, receiptMessagesMax: 64 });
  expect(receiving(limits.receiptMessagesMax - 1).b.session?.lines("later")).toEqual([]);
  expect(typesOf(receiving(limits.receiptMessagesMax).b.session?.lines("later") ?? [])).toEqual(["MESSAGE_ACK"]);
});

describe("the broker, of what is delivered in a busy stream", () => {
  /** A hundred messages are stored, and handed to a receiver that has taken none of them. */
  function busy(): { link: Link; take: (ack: number) => unknown[] } {
    const link = Link.open();
    link.b.takes = false;
    link.say(
      link.a,
      ...Array.from({ length: 100 }, (_, i) => ({
        type: "MESSAGE",
        id: mint(),
        session_id: link.session_id,
        seq: i + 1,
        data: { content: i },
      })),
    );
    const take = (ack: number) => {
      const before = link.a.got.length;
      link.say(link.b, { type: "MESSAGE_ACK", session_id: link.session_id, ack });
      return link.a.got.slice(before).map((envelope) => "data" in envelope && envelope.data);
    };
    return { link, take };
  }

  it("[S10] says nothing for a moment while much waits", () => {
    const { link, take } = busy();
    expect(take(10)).toEqual([]);
    link.now += limits.deliveredQuietMs - 1;
    expect(take(36)).toEqual([]);
  });

  it("[S10, L30] says all of it after that moment", () => {
    const { link, take } = busy();
    take(10);
    link.now += limits.deliveredQuietMs;
    expect(take(11)).toEqual([{ delivered: 11 }]);
    expect(take(12)).toEqual([]);
  });

  it("[S7, S10] says it at once when little waits", () => {
    const { take } = busy();
    expect(take(100 - limits.receiptMessagesMax)).toEqual([]);
    expect(take(100 - limits.receiptMessagesMax + 1)).toEqual([{ delivered: 37 }]);
    expect(take(100)).toEqual([{ delivered: 100 }]);
  });

  it("[S10, L30] remembers what it has not said: after that moment whatever comes brings it", () => {
    const { link, take } = busy();
    expect(take(10)).toEqual([]);
    link.now += limits.deliveredQuietMs;
    link.say(link.b, { type: "PAUSE", session_id: link.session_id });
    expect(link.a.got.at(-1)).toMatchObject({ type: "MESSAGE_ACK", data: { delivered: 10 } });
    const said = link.a.got.length;
    link.now += limits.deliveredQuietMs;
    link.say(link.b, { type: "RESUME", session_id: link.session_id });
    expect(link.a.got).toHaveLength(said);
  });

  it("[S10] says it with what the sender is told anyway", () => {
    const { link, take } = busy();
    take(10);
    link.say(link.a, { type: "MESSAGE", id: mint(), session_id: link.session_id, seq: 101, data: { content: 0 } });
    expect(link.a.got.at(-1)).toMatchObject({ type: "MESSAGE_ACK", ack: 101, data: { delivered: 10 } });
  });
});
