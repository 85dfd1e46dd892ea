// The text of the committed vectors: one case a line, so that a change shows as one line. Pure.
import { harvest } from "./harvest.ts";

import { attaching } from "./scripts/attaching.ts";
import { brokering } from "./scripts/brokering.ts";
import { writeEnvelopes } from "./scripts/envelopes.ts";
import { journaling } from "./scripts/journaling.ts";
import { opening } from "./scripts/opening.ts";
import { recalling } from "./scripts/recalling.ts";
import { streams } from "./scripts/streams.ts";
import { shortened } from "./text.ts";

const list = (items: readonly unknown[]): string =>
  items.length === 0 ? "[]" : `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n ]`;

const page = (members: object): string =>
  `{\n${Object.entries(shortened(members) as object)
    .map(([name, value]) => ` ${JSON.stringify(name)}: ${Array.isArray(value) ? list(value) : JSON.stringify(value)}`)
    .join(",\n")}\n}\n`;

/** File name → text, of those that are made from scripts. */
export const vectorFiles = (): Record<string, string> => ({
  "envelopes.json": page(writeEnvelopes()),
  "sessions.json": page({
    format: 1,
    cases: [...opening, ...streams, ...attaching].map((script) => script.written()),
  }),
  "recalled.json": page({ format: 1, cases: recalling.map((script) => script.written()) }),
  "journals.json": page({ format: 1, cases: journaling() }),
  "broker.json": page({ format: 1, cases: brokering.map((talk) => talk.written()) }),
});

/** The same form, out of the simulator. Kept compressed: it is many, and nobody reads it. */
export const generatedSessions = (): string => page({ format: 1, cases: harvest(1, 1200, 25) });
