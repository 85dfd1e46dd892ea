// A frame of the fuzzer's: lines joined as they should be or not, two frames spliced, or nothing that was ever a frame.
import fc from "fast-check";
import { limits } from "../../protocol/wire/limits.ts";
import { type Line, lineOf, textOf } from "./lines.ts";
import type { Moment } from "./samples.ts";

export type Frame =
  | { kind: "lines"; lines: Line[]; join: string; end: string }
  /** One line, many times over. */
  | { kind: "many"; line: Line; count: number }
  /** The beginning of one and the end of another. */
  | { kind: "splice"; lines: [Line, Line]; at: [number, number] }
  /** One line, and as many spaces as it takes to reach that many bytes. */
  | { kind: "padded"; line: Line; bytes: number }
  | { kind: "text"; text: string };

const most = { weight: 30, arbitrary: fc.constant("\n") };
const strange = { weight: 1, arbitrary: fc.constantFrom("\r\n", "\n\n", "", " ", "\u2028", ",") };
const nothing = { weight: 30, arbitrary: fc.constant("") };

export function frameOf(types: readonly string[], longest = 5): fc.Arbitrary<Frame> {
  const line = lineOf(types);
  return fc.oneof(
    {
      weight: 600,
      arbitrary: fc.record({
        kind: fc.constant("lines" as const),
        lines: fc.array(line, { minLength: 1, maxLength: longest }),
        join: fc.oneof(most, strange),
        end: fc.oneof(nothing, strange),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("many" as const),
        line,
        count: fc.constantFrom(limits.frameEnvelopesMax - 1, limits.frameEnvelopesMax, limits.frameEnvelopesMax + 1),
      }),
    },
    {
      weight: 30,
      arbitrary: fc.record({
        kind: fc.constant("splice" as const),
        lines: fc.tuple(line, line),
        at: fc.tuple(fc.nat(400), fc.nat(400)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("padded" as const),
        line,
        bytes: fc.constantFrom(...[-1, 0, 1].map((by) => limits.frameBytesMax + by), limits.envelopeBytesMax),
      }),
    },
    {
      weight: 60,
      arbitrary: fc.record({
        kind: fc.constant("text" as const),
        text: fc.oneof(
          fc.string({ unit: "binary", maxLength: 60 }),
          fc.json({ maxDepth: 3 }),
          fc.constantFrom(
            "",
            "\n",
            "null",
            "[]",
            "{}",
            '{"type":"HEARTBEAT"}',
            '{"type":"HEARTBEAT"} ',
            "{".repeat(500),
          ),
          fc.uint8Array({ maxLength: 60 }).map((bytes) => new TextDecoder().decode(bytes)),
          fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes)),
        ),
      }),
    },
  ) as fc.Arbitrary<Frame>;
}

/** The text of a frame, at a moment that it then moves on. */
export function textOfFrame(frame: Frame, samples: Parameters<typeof textOf>[1], moment: Moment): string {
  const lineText = (line: Line) => textOf(line, samples, moment);
  switch (frame.kind) {
    case "lines":
      return frame.lines.map(lineText).join(frame.join) + frame.end;
    case "many": {
      // Each with the next `seq`, as a sender in a hurry has it; a line that is large all over would only be slow to make.
      const lines: string[] = [];
      let bytes = 0;
      for (let i = 0; i < frame.count && bytes < 2 * limits.frameBytesMax; i++) {
        lines.push(lineText(frame.line));
        bytes += lines.at(-1)?.length ?? 0;
      }
      return lines.join("\n");
    }
    case "splice": {
      const [head = "", tail = ""] = frame.lines.map(lineText);
      return head.slice(0, frame.at[0] % (head.length + 1)) + tail.slice(frame.at[1] % (tail.length + 1));
    }
    case "padded": {
      const text = lineText(frame.line);
      return text + " ".repeat(Math.max(0, frame.bytes - text.length));
    }
    case "text":
      return frame.text;
  }
}
