// What the kit and the vectors say that they show are rules of docs/PROTOCOL.md, and no two checks have one title.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { brokerChecks } from "../../conformance/broker/suite.ts";
import { clientChecks } from "../../conformance/client/suite.ts";
import { root } from "../../scripts/sources.ts";

const textOf = (file: string): string => readFileSync(join(root, file), "utf8");
const rules = new Set(Array.from(textOf("docs/PROTOCOL.md").matchAll(/^\*\*([A-Z]\d+)\.\*\*/gm), ([, rule]) => rule));
interface Named {
  name: string;
  rules: readonly string[];
}

const vectorsOf = (file: string): Named[] => JSON.parse(textOf(`test/vectors/${file}`)).cases;
const all: { of: string; cases: Named[] }[] = [
  { of: "checks of brokers", cases: brokerChecks.map(({ title, rules: named }) => ({ name: title, rules: named })) },
  { of: "checks of clients", cases: clientChecks.map(({ title, rules: named }) => ({ name: title, rules: named })) },
  ...["sessions.json", "recalled.json", "broker.json"].map((file) => ({ of: file, cases: vectorsOf(file) })),
];

describe.each(all)("$of", ({ cases }) => {
  it("name rules that there are", () => {
    const named = cases.flatMap(({ name, rules: ofCase }) => ofCase.map((rule) => ({ name, rule })));
    expect(named.filter(({ rule }) => !rules.has(rule))).toEqual([]);
  });

  it("have names of their own", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
});
