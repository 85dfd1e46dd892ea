// Frames and lines: sizes in UTF-8 bytes at their exact limits, depth, JSON; and lines packed into frames.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBrokerFrame,
  decodeClientLine,
  encodeWork,
  errorLine,
  packFrames,
  parseLine,
  splitFrame,
  utf8Length,
} from "../../protocol/wire/codec.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { routeFrame } from "../../protocol/wire/route.ts";
import { mint } from "./link.ts";

const reasonOf = (answer: { ok: boolean; fault?: { reason: string } }) => (answer.ok ? "ok" : answer.fault?.reason);
const messageOf = (content: unknown, more: object = {}) =>
  JSON.stringify({ type: "MESSAGE", id: mint(), session_id: mint(), seq: 1, data: { content }, ...more });

/** A MESSAGE of exactly so many bytes, filled with one character. */
function sized(bytes: number, filler: string): string {
  const empty = messageOf("");
  const left = bytes - empty.length;
  const each = new TextEncoder().encode(filler).length;
  const content = filler.repeat(Math.floor(left / each)) + "x".repeat(left % each);
  return empty.replace('"content":""', `"content":"${content}"`);
}

/** A MESSAGE whose objects nest so deep, the envelope and its data counted. */
function nested(depth: number, array: boolean): string {
  let content: unknown = 1;
  for (let level = 2; level < depth; level++) content = array ? [content] : { in: content };
  return messageOf(content);
}

describe("frames", () => {
  it("[F1] are lines; one line break may end a frame, an empty line is a bad envelope", () => {
    expect(splitFrame("a\nb\n")).toEqual({ ok: true, lines: ["a", "b"] });
    expect(splitFrame("a\n\n")).toEqual({ ok: true, lines: ["a", ""] });
    expect(splitFrame("")).toEqual({ ok: true, lines: [""] });
    expect(reasonOf(parseLine(""))).toBe("invalid_json");
    expect(reasonOf(decodeClientLine(`${messageOf(1)}\r`))).toBe("ok");
  });

  it.each(["x", "é", "€", "😀"])("[F2, L2] of up to 524288 bytes pass, one more is too large (%s)", (filler) => {
    const each = new TextEncoder().encode(filler).length;
    const full = filler.repeat(limits.frameBytesMax / each).padEnd(limits.frameBytesMax / each, "x");
    const missing = limits.frameBytesMax - utf8Length(full);
    expect(reasonOf(splitFrame(full + "x".repeat(missing)))).toBe("ok");
    expect(reasonOf(splitFrame(`${full}${"x".repeat(missing)}x`))).toBe("frame_too_large");
  });

  it("[F3, L3] of 256 lines pass, 257 are too many and none of them is taken", () => {
    const line = messageOf(1);
    const of = (lines: number) => Array.from({ length: lines }, () => line).join("\n");
    expect(reasonOf(splitFrame(of(256)))).toBe("ok");
    expect(reasonOf(splitFrame(`${of(256)}\n`))).toBe("ok");
    expect(reasonOf(splitFrame(of(257)))).toBe("too_many_envelopes");
    expect(routeFrame(of(257))).toEqual([{ to: "sender", fault: { reason: "too_many_envelopes" } }]);
  });

  it("[F5] a bad line is one fault, the others of the frame are taken", () => {
    const session_id = mint();
    const lines = [messageOf(1, { session_id }), "{", "[]", messageOf(2, { session_id }), '{"type":"HELLO"}'];
    expect(routeFrame(lines.join("\n"))).toEqual([
      { to: "session", session_id, lines: [lines[0], lines[3]], opens: false },
      { to: "sender", fault: { reason: "invalid_json" } },
      { to: "sender", fault: { reason: "invalid_json" } },
      { to: "sender", fault: { reason: "unknown_type" } },
    ]);
  });

  it("[F6] the lines of one session stay in order, whatever stands between them", () => {
    const [one, two] = [mint(), mint()];
    const line = (session_id: string, seq: number) => messageOf(seq, { session_id, seq });
    const text = [line(one, 1), line(two, 1), line(one, 2), line(two, 2), line(one, 3)].join("\n");
    expect(routeFrame(text).map((step) => step.to === "session" && step.lines.length)).toEqual([3, 2]);
    const [first] = routeFrame(text);
    expect(first?.to === "session" && first.lines.map((each) => JSON.parse(each).seq)).toEqual([1, 2, 3]);
  });

  it("[F7] the broker's are packed by count and size, and nothing is lost or reordered", () => {
    const short = Array.from({ length: 600 }, (_, i) => String(i));
    expect(packFrames(short).map((frame) => frame.split("\n").length)).toEqual([256, 256, 88]);
    expect(packFrames([])).toEqual([]);
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { maxLength: 600 }), (sizes) => {
        const lines = sizes.map((size, i) => `${i}:${"x".repeat(i % 40 === 0 ? size : size % 50)}`);
        const frames = packFrames(lines);
        expect(frames.flatMap((frame) => frame.split("\n"))).toEqual(lines);
        for (const frame of frames) {
          const count = frame.split("\n").length;
          expect(count).toBeLessThanOrEqual(limits.frameEnvelopesMax);
          if (count > 1) expect(utf8Length(frame)).toBeLessThanOrEqual(limits.frameBytesMax);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("lines", () => {
  it("[L1] sizes are those of UTF-8, lone surrogates included", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((u) => String.fromCharCode(u)) }),
        (a, b) => {
          for (const text of [a, b, a + b]) expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
        },
      ),
    );
  });

  it.each(["x", "é", "€", "😀"])("[F4, L1] of up to 262144 bytes pass, one more is too large (%s)", (filler) => {
    const exact = sized(limits.envelopeBytesMax, filler);
    expect(utf8Length(exact)).toBe(limits.envelopeBytesMax);
    expect(reasonOf(decodeClientLine(exact))).toBe("ok");
    expect(reasonOf(decodeClientLine(sized(limits.envelopeBytesMax + 1, filler)))).toBe("envelope_too_large");
  });

  it.each([true, false])("[F4, L4] 32 levels pass, 33 are too deep (arrays: %s)", (array) => {
    expect(reasonOf(decodeClientLine(nested(32, array)))).toBe("ok");
    expect(reasonOf(decodeClientLine(nested(33, array)))).toBe("too_deep");
    const line = messageOf("HERE").replace('"HERE"', `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(reasonOf(decodeClientLine(line))).toBe("too_deep");
  });

  it.each(["{", "nil", "1", '"a"', "null", "[]", "[{}]", '{"a":1}{', "\uFEFF{}"])(
    "[F4] %s is no JSON object",
    (line) => {
      expect(reasonOf(decodeClientLine(line))).toBe("invalid_json");
    },
  );

  it("[X2] a fault names the envelope and the session where they can be read, and nothing else of it", () => {
    const [id, session_id] = [mint(), mint()];
    const line = (fault: Parameters<typeof errorLine>[0], more?: object) => JSON.parse(errorLine(fault, more));
    const decoded = decodeClientLine(JSON.stringify({ type: "MESSAGE", id, session_id, seq: 0 }));
    expect(decoded.ok).toBe(false);
    if (!decoded.ok) expect(line(decoded.fault)).toMatchObject({ type: "ERROR", session_id, in_reply_to: id });
    const forged = decodeClientLine(JSON.stringify({ type: "MESSAGE", id: "<script>", session_id: 7, seq: 0 }));
    if (!forged.ok) expect(Object.keys(line(forged.fault))).toEqual(["type", "data"]);
    expect(line({ reason: "sequence_gap" }, { expected: 7 }).data).toMatchObject({
      reason: "sequence_gap",
      expected: 7,
    });
  });

  it("[F4] nothing that can be sent makes the decoder throw, and it never says anything undocumented", () => {
    const documented = ["ok", "invalid_json", "invalid_envelope", "unknown_type", "wrong_direction", "too_deep"];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((o) => JSON.stringify({ type: "MESSAGE", ...o })),
        ),
        (text) => {
          expect(documented).toContain(reasonOf(decodeClientLine(text)));
          for (const decoded of decodeBrokerFrame(text)) expect(documented).toContain(reasonOf(decoded));
        },
      ),
    );
  });
});

describe("a line of work", () => {
  it("[E7] is what JSON makes of its members, in one order, whatever an agent wrote in those that are free text", () => {
    const hostile = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom('","seq":9,"x":"', "\n", "\\", "\u2028"));
    const optional = fc.record(
      { from: fc.constant("planner"), in_reply_to: fc.constant(mint()), timestamp: hostile, traceparent: hostile },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(optional, fc.jsonValue(), ({ from, in_reply_to, timestamp, traceparent }, content) => {
        const head = { type: "MESSAGE", id: mint(), session_id: mint(), seq: 7 } as const;
        const whole = { ...head, from, in_reply_to, timestamp, traceparent, data: { content } };
        const line = encodeWork({ ...head, from, in_reply_to, timestamp, traceparent }, JSON.stringify({ content }));
        expect(line).toBe(JSON.stringify(whole));
      }),
    );
  });
});
