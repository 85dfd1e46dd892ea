// Bad input over real sockets, through the real edge and Worker: each its ERROR, and a session that outlives all of it. What each
// rule says in full is tested on workerd (test/workerd/objects); here it is that nothing on the way differs.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type ErrorReason, errorBody } from "../../protocol/wire/errors.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { frameOf, type Line, type Socket } from "../wire/socket.ts";
import { type Certified, Dialing, refusal, uuid } from "./dialing.ts";

let dialing: Dialing;
let a: Socket;
let b: Socket;
let planner: Certified;
const session_id = uuid();
let epoch: string;
let seq = 0;
const of = (type: string, more: object = {}) => ({ type, id: uuid(), session_id, ...more });
const message = (n: number, content: unknown = n) => of("MESSAGE", { seq: n, data: { content } });

beforeAll(async () => {
  dialing = await Dialing.start();
  planner = await dialing.certified("planner");
  a = await dialing.registered(planner);
  b = await dialing.registered(await dialing.certified("analyst"));
  a.say(of("SESSION_INIT", { to: "analyst" }));
  await b.next("SESSION_INIT");
  b.say(of("SESSION_ACCEPT"));
  epoch = (await a.next("SESSION_ACCEPT")).data.epoch;
});

afterAll(() => dialing.close());

/** Between two good messages; both arrive. */
async function betweenGood(...bad: Line[]): Promise<void> {
  a.say(message(++seq), ...bad, message(++seq));
  expect(await b.contents(2)).toEqual([seq - 1, seq]);
  b.say({ type: "MESSAGE_ACK", session_id, ack: seq });
  await a.next("MESSAGE_ACK", ({ data }) => data?.delivered === seq);
}

const deep = () => {
  let content: unknown = 1;
  for (let level = 0; level < limits.depthMax; level++) content = [content];
  return message(1, content);
};

test.each<[string, () => Line, ErrorReason]>([
  ["[F4] not JSON", () => "{", "invalid_json"],
  ["[E6] a wrong schema", () => of("MESSAGE", { seq: 0 }), "invalid_envelope"],
  ["[E5] an unknown type", () => of("SHOUT"), "unknown_type"],
  ["[E5] the broker's type", () => of("SESSION_CLOSED"), "wrong_direction"],
  ["[F4] too large an envelope", () => message(1, "x".repeat(limits.envelopeBytesMax)), "envelope_too_large"],
  ["[F4] too deep", deep, "too_deep"],
  ["[E3] another's name", () => ({ ...message(1), from: "analyst" }), "from_mismatch"],
  ["[R2] a second REGISTER", () => ({ type: "REGISTER", id: uuid(), data: {} }), "already_registered"],
  ["[N6] no such session", () => ({ ...message(1), session_id: uuid() }), "session_unknown"],
  [
    "[N1] a session with oneself",
    () => ({ ...of("SESSION_INIT", { to: "planner" }), session_id: uuid() }),
    "self_session",
  ],
])("%s", async (_, bad, reason) => {
  await betweenGood(bad());
  expect((await a.next("ERROR")).data).toMatchObject(errorBody(reason));
});

test("[F1, F3] a binary frame and one of 257 lines", async () => {
  a.sayRaw(Uint8Array.from([123, 125]).buffer);
  expect((await a.next("ERROR")).data).toMatchObject(errorBody("binary_frame"));
  a.say(...Array.from({ length: limits.frameEnvelopesMax + 1 }, (_, i) => message(seq + 1 + i)));
  expect((await a.next("ERROR")).data).toMatchObject(errorBody("too_many_envelopes"));
  await betweenGood();
});

test("[R1] frames before REGISTER; and the newer connection closes the older one 4409 [C4]", async () => {
  const next = await dialing.dial(planner);
  next.say(message(seq + 1), { type: "AGENT_QUERY", id: uuid() });
  for (const _ of [1, 2]) expect((await next.next("ERROR")).data).toMatchObject(errorBody("not_registered"));
  await betweenGood();
  next.say({ type: "REGISTER", id: uuid(), data: {} }, resume());
  expect((await next.next("SESSION_RESUMED")).data).toMatchObject({ outcome: "resumed", received: seq });
  expect((await a.closed()).code).toBe(4409);
  a = next;
  await betweenGood();
});

const resume = () => of("SESSION_RESUME", { data: { epoch, received: 0, first: 1, next: seq + 1 } });

test("[F2] a frame that is too large closes 4413, and the session outlives it", async () => {
  const half = "x".repeat(limits.frameBytesMax / 2);
  const frames = [frameOf([message(seq + 1, half), message(seq + 2, half)]), "x".repeat(16 * limits.frameBytesMax)];
  for (const frame of frames) {
    a.sayRaw(frame);
    expect((await a.next("ERROR")).data).toMatchObject(errorBody("frame_too_large"));
    expect((await a.closed()).code).toBe(4413);
    a = await dialing.registered(planner);
    a.say(resume());
    expect((await a.next("SESSION_RESUMED")).data).toMatchObject({ outcome: "resumed", received: seq });
    await betweenGood();
  }
});

test("[A4, A3] over a direct socket as well", async () => {
  const path = `/v1/sessions/${session_id}`;
  const stranger = await dialing.certified("stranger");
  expect((await refusal(dialing.upgrade(`${dialing.broker.agentsUrl}${path}`, stranger))).status).toBe(404);
  const connection = a;
  a = await dialing.dial(planner, path);
  a.say(message(seq + 1));
  expect((await a.next("ERROR")).data).toMatchObject(errorBody("session_not_attached"));
  a.say(resume());
  await a.next("SESSION_RESUMED");
  await betweenGood("null", of("SESSION_INIT", { to: "analyst" }), { ...message(1), from: "analyst" });
  for (const reason of ["invalid_json", "not_on_direct", "from_mismatch"] as const) {
    expect((await a.next("ERROR")).data).toMatchObject(errorBody(reason));
  }
  connection.say(message(seq + 1));
  expect((await connection.next("ERROR")).data).toMatchObject(errorBody("session_not_attached"));
  await betweenGood();
});
