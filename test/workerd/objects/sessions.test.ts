// The life of a session on the real runtime: offered, accepted or rejected, worked in, closed.
import { expect } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { everyWay, multiplexed } from "./agents.ts";
import { Duo } from "./duo.ts";

everyWay(
  "[S6, S7, E7, N7, N10] work flows both ways, with receipts, and a close ends it after what came before",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    await a.say(...duo.messages(1, 3));
    expect(await a.socket.next("MESSAGE_ACK")).toMatchObject({ ack: 3, data: { delivered: 0 } });
    const [first, ...rest] = [
      await b.socket.next("MESSAGE"),
      await b.socket.next("MESSAGE"),
      await b.socket.next("MESSAGE"),
    ];
    expect(first).toMatchObject({ from: a.name, seq: 1, session_id: duo.session_id, data: { content: 1 } });
    expect(rest.map(({ seq }) => seq)).toEqual([2, 3]);

    await b.say(duo.message(1, "back"), duo.ack(2));
    expect((await a.socket.next("MESSAGE")).data.content).toBe("back");
    const receipt = await a.socket.next("MESSAGE_ACK");
    expect(receipt).toMatchObject({ ack: 3, data: { delivered: 2 } });
    // Absolute: what was received, and the room that is left behind it.
    expect(receipt.limit).toBe(3 + limits.windowMessages - 1);

    await a.say(duo.message(4), duo.close(5, "done"));
    expect(await b.socket.next("SESSION_CLOSE")).toMatchObject({ seq: 5, from: a.name, data: { reason: "done" } });
    expect(b.socket.unread("MESSAGE").map(({ seq }) => seq)).toEqual([4]);
    await a.say(duo.ack(1));
    await b.say(duo.ack(5));
    expect((await a.socket.next("SESSION_CLOSED")).data).toEqual({ state: "closed", received: 5, delivered: 5 });
    expect((await b.socket.next("SESSION_CLOSED")).data).toEqual({ state: "closed", received: 1, delivered: 1 });
    expect(await duo.indexed("closed")).toMatchObject({
      account_id: "local",
      initiator: a.name,
      responder: b.name,
      reason: "closed",
    });
    expect((await a.register()).data.sessions).toEqual([]);
  },
);

everyWay(
  "[N1, N2] an offer names its maker and what it can do; acceptance hands each side the other's",
  async (way) => {
    const duo = await Duo.met(way, { a: [{ name: "plan" }], b: [{ name: "analyze", version: "2" }] });
    const { a, b } = duo;
    const init = duo.init({ data: { metadata: { why: "files" } } });
    await a.tell(init);
    expect(await b.connection.next("SESSION_INIT")).toMatchObject({
      id: init.id,
      from: a.name,
      to: b.name,
      data: { metadata: { why: "files" }, capabilities: [{ name: "plan" }] },
    });
    const accept = duo.of("SESSION_ACCEPT");
    await b.tell(accept);
    const [forA, forB] = [await a.connection.next("SESSION_ACCEPT"), await b.connection.next("SESSION_ACCEPT")];
    expect(forA).toMatchObject({ in_reply_to: init.id, limit: limits.windowMessages });
    expect(forB).toMatchObject({ in_reply_to: accept.id, limit: limits.windowMessages });
    expect(forA.data).toEqual({
      epoch: forB.data.epoch,
      peer: b.name,
      capabilities: [{ name: "analyze", version: "2" }],
    });
    expect(forB.data).toEqual({ epoch: forB.data.epoch, peer: a.name, capabilities: [{ name: "plan" }] });
    expect(await duo.indexed("active")).toMatchObject({ initiator: a.name, responder: b.name });
    const listed = await a.register();
    expect(listed.data.sessions).toEqual([{ session_id: duo.session_id, peer: b.name }]);
  },
  multiplexed,
);

everyWay(
  "[N4] an offer may be rejected, with a word why",
  async (way) => {
    const duo = await Duo.met(way);
    const init = duo.init();
    await duo.a.tell(init);
    await duo.b.connection.next("SESSION_INIT");
    await duo.b.tell(duo.of("SESSION_REJECT", { data: { message: "busy" } }));
    const rejected = await duo.a.connection.next("SESSION_REJECT");
    expect(rejected.in_reply_to).toBe(init.id);
    expect(rejected.data).toMatchObject({ reason: "offer_rejected", message: "busy", retryable: false });
    expect(await duo.indexed("rejected")).toMatchObject({ reason: "offer_rejected" });
  },
  multiplexed,
);
