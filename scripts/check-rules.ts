// npm run check:rules: every numbered rule of docs/PROTOCOL.md is cited by a test's title, and every citation is of a rule.
// A rule is a line that starts with its bold number, `**S3.**`; a citation is `[S3]` or `[S3, A2]` inside a string of a test.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesIn, root } from "./sources.ts";

const rule = /^\*\*([A-Z]+\d+)\.\*\*/gm;
const citation = /\[([A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\]/g;
/** The test of this check plants citations of its own. */
const planted = "test/e2e/checks.test.ts";
const isTest = (path: string): boolean => /^(?:test|sdk)\/.*\.test\.ts$/.test(path) && path !== planted;

/** Where each rule is cited: rule → files. */
function citationsIn(base: string): Map<string, Set<string>> {
  const cited = new Map<string, Set<string>>();
  for (const path of filesIn(base, isTest)) {
    const source = readFileSync(join(base, path), "utf8");
    for (const line of source.split("\n")) {
      // Titles are strings: what stands before the first quote is code, where `[A1]` means something else.
      const quoted = line.slice(line.search(/["'`]|$/));
      for (const match of quoted.matchAll(citation)) {
        for (const id of (match[1] ?? "").split(/,\s*/)) cited.set(id, (cited.get(id) ?? new Set()).add(path));
      }
    }
  }
  return cited;
}

export interface RuleReport {
  rules: number;
  cited: number;
  /** One line each: the rule without a test, the number that is no rule, the number that is used twice. */
  violations: string[];
}

/** Checks the specification under `base` against its tests. */
export function checkRules(base: string): RuleReport {
  const specification = join(base, "docs/PROTOCOL.md");
  if (!existsSync(specification)) return { rules: 0, cited: 0, violations: ["docs/PROTOCOL.md is missing."] };
  const numbers = Array.from(readFileSync(specification, "utf8").matchAll(rule), (match) => match[1] ?? "");
  const rules = new Set(numbers);
  const cited = citationsIn(base);
  const twice = numbers.filter((id, i) => numbers.indexOf(id) !== i);
  const untested = [...rules].filter((id) => !cited.has(id));
  const unknown = [...cited].filter(([id]) => !rules.has(id));
  const violations = [
    ...(numbers.length === 0 ? ["docs/PROTOCOL.md has no numbered rule (`**S3.** …` at the start of a line)."] : []),
    ...twice.map((id) => `docs/PROTOCOL.md: the number ${id} is given twice. Number the second one anew.`),
    ...untested.map(
      (id) => `docs/PROTOCOL.md: rule ${id} has no test. Cite it in the title of the test that shows it: "[${id}] …".`,
    ),
    ...unknown.map(
      ([id, files]) => `${[...files].join(", ")}: [${id}] is no rule of docs/PROTOCOL.md. Cite an existing one.`,
    ),
  ];
  return { rules: rules.size, cited: rules.size - untested.length, violations };
}

if (import.meta.main) {
  const { rules, cited, violations } = checkRules(root);
  for (const violation of violations) console.error(violation);
  console.log(`${cited} of ${rules} rules are cited by tests.`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
