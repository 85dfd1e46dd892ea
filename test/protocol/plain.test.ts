// MESSAGE as nearly every client writes it: what is judged without its schema is what the schema would say, to the letter.
import fc from "fast-check";
import { expect, it } from "vitest";
import { brokerEnvelopes, clientEnvelopes } from "../../protocol/wire/envelope.ts";
import { isPlainMessage } from "../../protocol/wire/plain.ts";
import { mint } from "./link.ts";

const usual = () => ({ type: "MESSAGE", id: mint(), session_id: mint(), seq: 7, data: { content: { n: 1 } } });

it("[E3] what an SDK sends, and what the broker delivers, is plain", () => {
  expect(isPlainMessage(usual())).toBe(true);
  expect(isPlainMessage({ ...usual(), from: "planner" })).toBe(true);
  expect(isPlainMessage({ ...usual(), data: { content: null } })).toBe(true);
});

it("[E3, E4] what is plain is valid in both directions, and nothing of it is dropped", () => {
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(0, -1, 1.5, 2 ** 53, 1e300, "", "planner", "Planner", mint(), mint().toUpperCase(), [], {}),
    fc.record({ content: fc.jsonValue() }),
    fc.constantFrom(
      ...['{"__proto__":1}', '{"content":1,"__proto__":2}', '{"content":1,"more":2}'].map((t) => JSON.parse(t)),
    ),
  );
  const members = ["type", "id", "session_id", "seq", "from", "to", "ack", "in_reply_to", "data", "__proto__", "more"];
  let plain = 0;
  fc.assert(
    fc.property(
      fc.array(fc.record({ member: fc.constantFrom(...members), value: fc.option(odd, { nil: undefined }) }), {
        maxLength: 3,
      }),
      (changes) => {
        let text = JSON.stringify(usual()).slice(0, -1);
        for (const { member, value } of changes) {
          if (value !== undefined) text += `,"${member}":${JSON.stringify(value)}`;
        }
        const value = JSON.parse(`${text}}`) as Record<string, unknown>;
        if (!isPlainMessage(value)) return;
        plain++;
        expect(clientEnvelopes.MESSAGE.parse(value)).toEqual(value);
        expect(brokerEnvelopes.MESSAGE.parse(value)).toEqual(value);
      },
    ),
    { numRuns: 5_000 },
  );
  expect(plain).toBeGreaterThan(500);
});

it("[E3] without one of its members nothing is plain", () => {
  for (const member of Object.keys(usual())) {
    const rest = Object.entries(usual()).filter(([name]) => name !== member);
    expect(isPlainMessage(Object.fromEntries(rest)), member).toBe(false);
  }
});
