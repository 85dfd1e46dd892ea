// The committed vectors, against the core: they hold, and they are what `npm run vectors` would write.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { replayBroker } from "./broker-half.ts";
import type { BrokerCase } from "./broker-steps.ts";
import { vectorFiles } from "./files.ts";
import { replay } from "./half.ts";
import { type JournalCase, readJournal } from "./journals.ts";
import type { SessionCase } from "./session-steps.ts";
import { expanded } from "./text.ts";

const textOf = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
const casesOf = <T>(name: string): T[] => (expanded(JSON.parse(textOf(name))) as { cases: T[] }).cases;

describe("the vectors", () => {
  // What is wrong with a line, or a frame, is written by hand beside it, and checked while it is written.
  it.each(Object.entries(vectorFiles()))("%s is what npm run vectors writes", (name, text) => {
    expect(textOf(name) === text).toBe(true);
  });
});

describe.each(["sessions.json", "recalled.json"])("%s", (file) => {
  const cases = casesOf<SessionCase>(file);

  it.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    expect(replay(one)).toEqual({ ...one, idsLeft: 0 });
  });

  it("no two cases have one name", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
});

describe("broker.json", () => {
  it.each(casesOf<BrokerCase>("broker.json").map((one) => [one.name, one] as const))("%s", (_, one) => {
    expect(replayBroker(one)).toEqual(one);
  });
});

describe("journals.json", () => {
  it.each(casesOf<JournalCase>("journals.json").map((one) => [one.name, one] as const))("%s", (_, one) => {
    expect(readJournal(one)).toEqual(one);
  });
});

describe("generated/sessions.json.gz", () => {
  const packed = readFileSync(join(import.meta.dirname, "generated/sessions.json.gz"));
  const { cases } = JSON.parse(gunzipSync(packed).toString("utf8")) as { cases: SessionCase[] };

  it("the core does the same today, in every session (run npm run vectors where it should not)", () => {
    const other = cases.filter((one) => JSON.stringify(replay(one)) !== JSON.stringify({ ...one, idsLeft: 0 }));
    expect(other.map(({ name }) => name)).toEqual([]);
    expect(cases.length).toBeGreaterThan(100);
  });
});
