// The lines and frames of envelopes.json, each with what must become of it, written by hand. `writeEnvelopes` adds what the
// decoder makes of a good one, and throws where the code is of another opinion.
import {
  type Decoded,
  decodeBrokerFrame,
  decodeClientLine,
  packFrames,
  splitFrame,
  utf8Length,
} from "../../../protocol/wire/codec.ts";
import { brokerSamples, clientSamples, type Moment } from "../../fuzz/samples.ts";
import { expanded, type Text, text } from "../text.ts";
import { brokerLines, clientLines, type Line, moment, whole } from "./lines.ts";

const samples = (of: Record<string, (moment: Moment) => object>): Line[] =>
  Object.entries(of).map(([type, sample]) => [`${type}: everything it may say`, "ok", { type, ...sample(moment) }]);

const textFor = (line: Line[2]): string | Text =>
  typeof line === "string" || "$text" in line ? (line as string | Text) : JSON.stringify(line);
const textOf = (text: string | Text): string => String(expanded(text));

function expectation(name: string, expected: string, decoded: Decoded<unknown> | undefined): object {
  const got = decoded === undefined ? "nothing" : decoded.ok ? "ok" : decoded.fault.reason;
  if (got !== expected || decoded === undefined) throw new Error(`${name}: ${got}, not ${expected}`);
  if (decoded.ok) return { envelope: decoded.envelope };
  const { issues, ...fault } = decoded.fault;
  return { fault: { ...fault, ...(issues && { paths: issues.map(({ path }) => path) }) } };
}

function written(lines: readonly Line[], decode: (line: string) => Decoded<unknown> | undefined) {
  return lines.map(([name, expected, line]) => {
    const text = textFor(line);
    return { name, line: text, ...expectation(name, expected, decode(textOf(text))) };
  });
}

const short = whole(1);
/** Frames as the broker splits them (F1–F3): how many lines, or the fault. */
const frames: [name: string, text: string | Text, expected: number | string][] = [
  ["one line", "a", 1],
  ["two lines", "a\nb", 2],
  ["a line break may end it", "a\nb\n", 2],
  ["a second one is an empty line", "a\n\n", 2],
  ["an empty frame is one empty line", "", 1],
  ["a carriage return is part of the line", "a\r\nb", 2],
  ["a line separator of Unicode separates nothing", "a\u2028b\u2029c\u0085d", 1],
  ["256 lines", text(["a\n", 255], "a"), 256],
  ["256 lines and the line break that ends them", text(["a\n", 256]), 256],
  ["257 lines", text(["a\n", 256], "a"), "too_many_envelopes"],
  ["524288 bytes", text(["x", 524_288]), 1],
  ["524289 bytes", text(["x", 524_289]), "frame_too_large"],
  ["524288 bytes of two each", text(["é", 262_144]), 1],
  ["524290 bytes of two each", text(["é", 262_145]), "frame_too_large"],
  ["524288 bytes of four each", text(["😀", 131_072]), 1],
  ["one byte more than that", text(["😀", 131_072], "x"), "frame_too_large"],
  ["too large counts before too many", text(["x\n", 300_000]), "frame_too_large"],
];

/** Frames as a client reads them: what each line is, its type or the fault. */
const fromBroker: [name: string, text: string | Text, expected: string[]][] = [
  ["one envelope", short, ["MESSAGE"]],
  ["three of one frame", `${short}\n{"type":"HEARTBEAT_ACK"}\n${short}`, ["MESSAGE", "HEARTBEAT_ACK", "MESSAGE"]],
  ["a bad line is one fault, the others are taken", `${short}\n{\n${short}`, ["MESSAGE", "invalid_json", "MESSAGE"]],
  ["an unknown type is one fault", `{"type":"NEWS"}\n${short}`, ["unknown_type", "MESSAGE"]],
  ["an empty frame", "", ["invalid_json"]],
  ["256 envelopes", text([`${short}\n`, 255], short), Array<string>(256).fill("MESSAGE")],
  [
    "more than half a megabyte: what the broker stamped (F7)",
    text([`${whole("abc".repeat(700))}\n`, 255], short),
    Array<string>(256).fill("MESSAGE"),
  ],
  ["a heartbeat's answer", '{"type":"HEARTBEAT_ACK"}', ["HEARTBEAT_ACK"]],
];

/** Lines of so many bytes, packed into frames of how many lines each (F2, F3). */
const packings: [name: string, lines: [bytes: number, count: number][], expected: number[]][] = [
  ["nothing is no frame", [], []],
  ["one line", [[10, 1]], [1]],
  ["256 lines share a frame", [[10, 256]], [256]],
  ["the 257th has its own", [[10, 257]], [256, 1]],
  ["two of the largest do not fit", [[262_144, 2]], [1, 1]],
  [
    "a large one between small ones",
    [
      [10, 3],
      [524_000, 1],
      [10, 3],
    ],
    [3, 1, 3],
  ],
];

const lengths: (string | Text)[] = [
  "",
  "abc",
  "é",
  "€",
  "😀",
  "a\u0000b",
  "\u07ff\u0800\uffff",
  text(["😀", 3]),
  "e\u0301",
];

/** The whole of envelopes.json. */
export function writeEnvelopes(): object {
  const decodeOne = (line: string) => decodeBrokerFrame(line)[0];
  return {
    format: 1,
    heartbeat: { text: '{"type":"HEARTBEAT"}', answer: '{"type":"HEARTBEAT_ACK"}' },
    utf8: lengths.map((text) => ({ text, bytes: utf8Length(textOf(text)) })),
    client_lines: written([...samples(clientSamples), ...clientLines], decodeClientLine),
    broker_lines: written([...samples(brokerSamples), ...brokerLines], decodeOne),
    client_frames: frames.map(([name, text, expected]) => {
      const split = splitFrame(textOf(text));
      const got = split.ok ? split.lines.length : split.fault.reason;
      if (got !== expected) throw new Error(`${name}: ${got}, not ${expected}`);
      return { name, text, ...(split.ok ? { lines: split.lines.length } : { fault: split.fault.reason }) };
    }),
    broker_frames: fromBroker.map(([name, text, expected]) => {
      const got = decodeBrokerFrame(textOf(text)).map((one) => (one.ok ? one.envelope.type : one.fault.reason));
      if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`${name}: ${got}, not ${expected}`);
      return { name, text, decoded: expected };
    }),
    packing: packings.map(([name, lines, expected]) => {
      const all = lines.flatMap(([bytes, count]) => Array<string>(count).fill("x".repeat(bytes)));
      const got = packFrames(all).map((frame) => frame.split("\n").length);
      if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`${name}: ${got}, not ${expected}`);
      return { name, lines, frames: expected };
    }),
  };
}
