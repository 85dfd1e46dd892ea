// Values that nobody meant to send, and the text they are written as: JSON can say things that `JSON.stringify` never would
// (1e400, two members of one name, a raw control character), so the fuzzer writes its own.
import fc from "fast-check";
import { limits } from "../../protocol/wire/limits.ts";

/** Text that stands in the line as it is. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** JSON text of a value in which `Raw` may stand anywhere. */
export function write(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`)
      .join(",")}}`;
  return JSON.stringify(value) ?? "null";
}

/** A copy that may be changed without the original. */
export function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Raw) return value;
  if (Array.isArray(value)) return value.map(copy);
  // `fromEntries` defines members, so a `__proto__` stays one.
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)]));
}

const raw = [
  ..."1e400 -1e400 -0 0.1e1 1E1 1.0 9007199254740992 9007199254740993 -9007199254740993 4.9e-324".split(" "),
  "123456789012345678901234567890",
  ...["01", "+1", ".5", "NaN", "Infinity", "undefined", "0x10", "'", "", "\u0000", "{", "]", "tru", '"\\ud800"'],
  ...['"\ud800"', '"\udc00\ud800"', '"\\u0000"', '"\u0000"', '"\u2028"', '"\\x"', '"\\u12"', '"open', '"\ufeff"'],
  ...['{"a":1,"a":2}', '{"__proto__":{"a":1}}', '{"__proto__":null,"constructor":{"prototype":{"b":1}}}'],
  ...['{"toJSON":1}', '{"length":1e9}', '{"then":1}', "[[[[]]]]", "[,]", "/* */1"],
].map((text) => new Raw(text));

const names = "planner analyst stranger Planner 0 . -a a_b.c __proto__ constructor hasOwnProperty summarize x".split(
  " ",
);
/** Small pools, so that the same name is met twice. */
export const ids = [1, 2, 3, 4].map((n) => `01a1ee56-5e00-7a11-8a11-00000000000${n}`);
const words = [
  ...names,
  ...ids,
  ...ids.map((id) => id.toUpperCase()),
  ...["", "\n", "😀", "é".repeat(64), "a".repeat(64), "a".repeat(65), "a".repeat(129), "x".repeat(1025)],
  ...[
    "2026-02-30T00:00:00Z",
    "1970-01-01T00:00:00.001Z",
    "9999-12-31T23:59:59.999-23:59",
    "2026-11-22T12:00:00",
    "2026-11-22T12:00:00+25:00",
    "succeeded",
    "cancelled",
    "resumed",
  ],
];
const numbers = [
  ...[0, 1, 2, 3, -1, 1.5, 255, 256, 511, 512, 513, 576, 1024, 1e9, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53],
  ...[-(2 ** 53), Number.MAX_VALUE, Number.MIN_VALUE, 1e21, 1e-7],
];

const nest = (depth: number, inner: unknown, asArray: boolean): unknown => {
  let value = inner;
  for (let level = 0; level < depth; level++) value = asArray ? [value] : { a: value };
  return value;
};
const deep = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 26, max: 36 }) },
      { weight: 1, arbitrary: fc.constantFrom(500, 20_000) },
    ),
    fc.boolean(),
  )
  // As text: our own writer must not be what runs out of stack.
  .map(([depth, asArray]) =>
    depth > 100
      ? new Raw(asArray ? `${"[".repeat(depth)}${"]".repeat(depth)}` : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`)
      : nest(depth, 1, asArray),
  );

const around = (size: number) => fc.integer({ min: size - 400, max: size + 40 });
/** Sizes at the edges, of strings, arrays and objects. */
const big = fc.oneof(
  around(limits.envelopeBytesMax).map((length) => "x".repeat(length)),
  around(Math.floor(limits.envelopeBytesMax / 3)).map((length) => "…".repeat(length)),
  fc.constantFrom(65, 10_000, 120_000).map((length) => new Raw(`[${"0,".repeat(length - 1)}0]`)),
  fc.constantFrom(65, 3_000).map((length) => new Raw(`[${'{"name":"-"},'.repeat(length - 1)}{}]`)),
  fc.constantFrom(300, 20_000).map((length) => Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]))),
);

export const strangeValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 150, arbitrary: fc.constantFrom<unknown>(...numbers) },
  { weight: 150, arbitrary: fc.constantFrom<unknown>(...words) },
  { weight: 500, arbitrary: fc.constantFrom<unknown>(...raw) },
  { weight: 50, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], { data: {} }, undefined) },
  { weight: 40, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 25, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 15, arbitrary: fc.double() },
  { weight: 8, arbitrary: deep },
  { weight: 1, arbitrary: big },
);

/** Names of members: those of the envelopes, and those that JavaScript objects have by themselves. */
export const memberName = fc.oneof(
  fc.constantFrom(
    ..."type id session_id seq ack limit from to in_reply_to timestamp traceparent data content task_id status deadline capability ttl_ms received".split(
      " ",
    ),
    ..."__proto__ constructor prototype toString toJSON hasOwnProperty then length valueOf".split(" "),
  ),
  fc.string({ maxLength: 8 }),
);
