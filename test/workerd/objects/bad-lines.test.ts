// Lines and frames that cannot be taken. Each is answered by its documented ERROR, and what else is in the frame, the session and
// the connection goes on. At the limit itself a frame is taken: so the tests know where it is.
import { expect } from "vitest";
import type { ErrorReason } from "../../../protocol/wire/errors.ts";
import { errorBody } from "../../../protocol/wire/errors.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { frameOf, type Line } from "../../wire/socket.ts";
import { everyWay, multiplexed } from "./agents.ts";
import { Duo } from "./duo.ts";

/** A MESSAGE of exactly that many bytes. */
function messageOf(duo: Duo, seq: number, bytes: number): object {
  const empty = frameOf([duo.message(seq, "")]).length;
  return duo.message(seq, "x".repeat(bytes - empty));
}

/** A MESSAGE that nests that deep, itself counted. */
function deepMessage(duo: Duo, seq: number, depth: number): object {
  let content: unknown = "deep";
  // The envelope and its `data` are two of the levels.
  for (let level = 2; level < depth; level++) content = [content];
  return duo.message(seq, content);
}

type Bad = [title: string, line: (duo: Duo) => Line, reason: ErrorReason];
const bad: Bad[] = [
  ["[F4] not JSON", () => '{"type":"MESSAGE"', "invalid_json"],
  ["[F4] JSON but no object", () => '[{"type":"HEARTBEAT"}]', "invalid_json"],
  ["[F4] a bare null", () => "null", "invalid_json"],
  ["[F1] an empty line", () => "", "invalid_json"],
  ["[E6] a member that is missing", (duo) => ({ ...duo.message(2), data: {}, seq: undefined }), "invalid_envelope"],
  ["[E6] a member of the wrong shape", (duo) => ({ ...duo.message(2), seq: "2" }), "invalid_envelope"],
  ["[E2] a session_id that is none", (duo) => ({ ...duo.message(2), session_id: "mine" }), "invalid_envelope"],
  ["[E5] an unknown type", (duo) => duo.of("MESSENGER", { seq: 2 }), "unknown_type"],
  ["[E5] a type that is a name of JavaScript's", (duo) => duo.of("constructor"), "unknown_type"],
  ["[E5] no type at all", (duo) => ({ id: duo.of("").id }), "unknown_type"],
  ["[E5] a type that only the broker sends", (duo) => duo.of("SESSION_RESUMED"), "wrong_direction"],
  [
    "[F4, L1] an envelope that is too large",
    (duo) => messageOf(duo, 2, limits.envelopeBytesMax + 1),
    "envelope_too_large",
  ],
  ["[F4, L4] an envelope that is too deep", (duo) => deepMessage(duo, 2, limits.depthMax + 1), "too_deep"],
  ["[E3] another agent's name", (duo) => ({ ...duo.message(2), from: duo.b.name }), "from_mismatch"],
];

for (const [title, line, reason] of bad) {
  everyWay(
    `${title} is ${reason}; the rest of the frame, the session and the connection go on [F5, X2, X3]`,
    async (way) => {
      const duo = await Duo.open(way);
      const { a, b } = duo;
      const wrong = line(duo);
      // What is larger than an envelope is not looked into: no id is read from it.
      const readable = typeof wrong === "object" && reason !== "envelope_too_large" ? wrong : {};
      await a.say(duo.message(1), wrong, duo.message(2));
      const { id, session_id } = { id: undefined, session_id: undefined, ...readable };
      const error = await a.socket.next("ERROR");
      expect(error.in_reply_to).toBe(id);
      expect(error.session_id).toBe(session_id === "mine" ? undefined : session_id);
      expect(error.data).toMatchObject(errorBody(reason));
      if (reason === "invalid_envelope")
        expect(error.data.issues).toContainEqual({ path: expect.any(String), message: expect.any(String) });
      expect(await b.socket.contents(2)).toEqual([1, 2]);
      await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 2);
      await b.say(duo.ack(2));
      await duo.expectAlive(3, 1);
      expect(a.socket.all("ERROR")).toHaveLength(1);
    },
  );
}

everyWay(
  "[F3, L3] a frame of 257 lines is refused as a whole, one of 256 is taken, with a line break at its end [F1]",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const max = limits.frameEnvelopesMax;
    await a.say(...duo.messages(1, max + 1));
    expect(await a.errorAbout()).toMatchObject(errorBody("too_many_envelopes"));
    await a.forget();
    a.socket.sayRaw(`${frameOf(duo.messages(1, max))}\n`);
    expect((await a.socket.next("MESSAGE_ACK")).ack).toBe(max);
    expect(await b.socket.contents(max)).toHaveLength(max);
    await b.say(duo.ack(max));
    await duo.expectAlive(max + 1, 1);
  },
);

everyWay("[F1] a binary frame is refused, whatever is in it", async (way) => {
  const duo = await Duo.open(way);
  await duo.a.forget();
  const { buffer } = Uint8Array.from(frameOf([duo.message(1, "binary")]), (letter) => letter.charCodeAt(0));
  duo.a.socket.sayRaw(buffer);
  expect(await duo.a.errorAbout()).toMatchObject(errorBody("binary_frame"));
  await duo.expectAlive(1, 1);
  expect(duo.b.socket.all("MESSAGE").map(({ data }) => data.content)).not.toContain("binary");
});

everyWay("[L1, L4] an envelope at its limits is taken, in UTF-8 bytes", async (way) => {
  const duo = await Duo.open(way);
  const { a, b } = duo;
  await a.say(messageOf(duo, 1, limits.envelopeBytesMax));
  await a.say(deepMessage(duo, 2, limits.depthMax));
  await b.socket.contents(2);
  // Fewer characters, more bytes.
  await a.say(duo.message(3, "€".repeat(limits.envelopeBytesMax / 2)));
  expect(await a.errorAbout()).toMatchObject(errorBody("envelope_too_large"));
  await b.say(duo.ack(2));
  await duo.expectAlive(3, 1);
});

everyWay(
  "[F2, L2] a frame that is too large closes the connection 4413; the session is there when it comes back",
  async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const half = limits.frameBytesMax / 2;
    await a.say(messageOf(duo, 1, half - 1), messageOf(duo, 2, half));
    expect((await a.socket.next("MESSAGE_ACK", ({ ack }) => ack === 2)).ack).toBe(2);
    await b.socket.contents(2);
    await a.say(messageOf(duo, 3, half), messageOf(duo, 4, half));
    expect(await a.errorAbout()).toMatchObject(errorBody("frame_too_large"));
    expect((await a.socket.closed()).code).toBe(4413);
    a.direct = undefined;
    expect((await duo.comeBack(a, 0, 5)).data).toMatchObject({ outcome: "resumed", received: 2 });
    await b.say(duo.ack(2));
    await duo.expectAlive(3, 1);
  },
);

everyWay(
  "[R1] before REGISTER everything but a heartbeat is not_registered, and nothing of it is taken",
  async (way) => {
    const duo = await Duo.met(way);
    const { a, b } = duo;
    const first = a.connection;
    await a.connect();
    // An id that is none is not repeated.
    await a.tell({ ...duo.message(1), id: "none" });
    expect(await a.errorAbout()).toMatchObject(errorBody("not_registered"));
    const early: { type: string; id: string }[] = [
      duo.init(),
      duo.message(1),
      { type: "AGENT_QUERY", id: duo.of("").id },
      { type: "CAPABILITY_ANNOUNCE", id: duo.of("").id, ...{ data: { capabilities: [] } } },
    ];
    await a.tell(...early, { type: "HEARTBEAT" });
    for (const { id } of early) expect(await a.errorAbout(id)).toMatchObject(errorBody("not_registered"));
    await a.connection.next("HEARTBEAT_ACK");
    await b.forget();
    expect(b.connection.all("SESSION_INIT")).toEqual([]);
    // Registering and what follows may share a frame; the connection before it was alive until now.
    expect(first.end).toBeUndefined();
    await a.tell({ type: "REGISTER", id: duo.of("").id, data: {} }, duo.init());
    await b.connection.next("SESSION_INIT");
    await a.connection.next("REGISTER_ACK");
    expect((await first.closed()).code).toBe(4409);
  },
  multiplexed,
);

everyWay(
  "[R2] a second REGISTER is already_registered; the first one stands",
  async (way) => {
    const duo = await Duo.open(way);
    const { a } = duo;
    const again = { type: "REGISTER", id: duo.of("").id, data: { capabilities: [{ name: "changed" }] } };
    await a.tell(again, duo.message(1));
    expect(await a.errorAbout(again.id)).toMatchObject(errorBody("already_registered"));
    await a.socket.next("MESSAGE_ACK");
    expect(await duo.b.socket.contents()).toEqual([1]);
    await duo.b.say(duo.ack(1));
    await duo.expectAlive(2, 1);
    expect(a.connection.all("REGISTER_ACK")).toHaveLength(1);
  },
  multiplexed,
);

everyWay("[H1] a heartbeat alone wakes nothing and is answered; among others it is answered too", async (way) => {
  const duo = await Duo.open(way);
  await duo.a.forget();
  duo.a.socket.sayRaw('{"type":"HEARTBEAT"}');
  await duo.a.socket.next("HEARTBEAT_ACK");
  await duo.a.say({ type: "HEARTBEAT" }, duo.message(1));
  await duo.a.socket.next("HEARTBEAT_ACK");
  expect(await duo.b.socket.contents()).toEqual([1]);
});
