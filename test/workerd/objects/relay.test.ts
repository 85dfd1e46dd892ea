// The relay between a connection and a session fails while the sockets live: each side is told, attaches again, and loses nothing.
import { afterEach, expect, it, vi } from "vitest";
import { AgentObject } from "../../../durable-objects/agent-object.ts";
import { SessionObject } from "../../../durable-objects/session-object.ts";
import { errorBody } from "../../../protocol/wire/errors.ts";
import { plain } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const lost = () => {
  throw new Error("the other object is gone");
};

it("[A5] on the way to the session: the sender hears relay_lost, and sends again", async () => {
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  vi.spyOn(SessionObject.prototype, "receive").mockImplementationOnce(lost);
  await a.say(duo.message(1));
  const error = await a.connection.next("ERROR");
  expect(error).toMatchObject({ session_id: duo.session_id, data: errorBody("relay_lost") });
  await a.say(duo.resume(0, 2), duo.message(1));
  expect((await a.connection.next("SESSION_RESUMED")).data).toMatchObject({ outcome: "resumed", received: 0 });
  expect(await b.connection.contents()).toEqual([1]);
  await b.say(duo.ack(1));
  await duo.expectAlive(2, 1);
});

it("[A5] on the way to the receiver: it hears relay_lost too, though it said nothing, and gets what it missed", async () => {
  const duo = await Duo.open(plain);
  const { a, b } = duo;
  vi.spyOn(AgentObject.prototype, "deliver").mockImplementationOnce(lost);
  await a.say(duo.message(1));
  expect((await a.connection.next("MESSAGE_ACK")).ack).toBe(1);
  const error = await b.connection.next("ERROR");
  expect(error).toMatchObject({ session_id: duo.session_id, data: errorBody("relay_lost") });
  expect(b.connection.all("MESSAGE")).toEqual([]);
  await duo.attach(b, 0, 1);
  expect(await b.connection.contents()).toEqual([1]);
  await b.say(duo.ack(1));
  await duo.expectAlive(2, 1);
});
