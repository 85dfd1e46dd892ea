// No secret is compared but in constant time (worker/identity/secrets.ts): the sources are read for every other way to do it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filesIn, root } from "../../scripts/sources.ts";

const word = String.raw`(?:\w+\??\.)*\w*(?:secret|hash|token|proof|password|credential|digest)\w*`;
/** What a secret may be compared with: that is whether there is one, or which kind it is. */
const harmless = String.raw`undefined\b|null\b|""|"[a-z]+"`;
const ways: [string, RegExp][] = [
  ["an operator", new RegExp(String.raw`\b${word}(?:\(\))?\s*[!=]==?(?!=)(?!\s*(?:${harmless}))`, "i")],
  ["an operator, the other way round", new RegExp(String.raw`[\w)\]]\s*[!=]==?\s*${word}\b(?!\.(?:length|kind))`, "i")],
  ["a query", new RegExp(String.raw`\b(?:eq|ne|inArray)\(\s*${word}\s*,`, "i")],
  ["a method", new RegExp(String.raw`\b${word}\.(?:equals|startsWith|endsWith|localeCompare|includes|match)\(`, "i")],
];

/** Where a source compares what is named like a secret. */
function comparisonsIn(source: string): string[] {
  const lines = source.split("\n").filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line));
  return lines.flatMap((line) => ways.filter(([, way]) => way.test(line)).map(([name]) => `${name}: ${line.trim()}`));
}

test("the reading finds what it is for", () => {
  const found = (line: string) => comparisonsIn(line).length > 0;
  const bad = [
    "if (record.secretHash === hash) return;",
    "return sent == adminToken;",
    "where(eq(apiKeys.secretHash, given))",
    "if (token.startsWith(given)) x();",
    "const ok = a.hash !== b.hash;",
  ];
  expect(bad.filter((line) => !found(line))).toEqual([]);
  const good = [
    "if (token === undefined) return;",
    'return secret !== "" && (await equalInConstantTime(secret, proof));',
    'const token = claim.by === "enrolment" ? claim.token : "";',
    "// token === sent would be wrong",
  ];
  expect(good.filter(found)).toEqual([]);
});

test("no source of the broker compares a secret by itself", () => {
  const sources = filesIn(root, (path) =>
    /^(?:worker|durable-objects|schema|scripts\/(?:edge|broker))\/.*\.ts$/.test(path),
  );
  expect(sources.length).toBeGreaterThan(80);
  const found = sources.flatMap((path) =>
    comparisonsIn(readFileSync(join(root, path), "utf8")).map((line) => `${path}: ${line}`),
  );
  expect(found).toEqual([]);
});
