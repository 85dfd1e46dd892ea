// Receipts that wait for company: a client's choice that the broker never notices.
import { expect, it } from "vitest";
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
