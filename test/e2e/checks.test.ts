// The checks catch what they are for: each is shown a planted violation.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkImports } from "../../scripts/check-imports.ts";
import { checkRules } from "../../scripts/check-rules.ts";
import { temporaryFolder } from "./edge-fixtures.ts";

async function project(files: Record<string, string>) {
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.dir, path)), { recursive: true });
    await writeFile(join(folder.dir, path), text);
  }
  return folder;
}

const importsOf = async (path: string, source: string): Promise<string[]> => {
  await using folder = await project({ [path]: source });
  return checkImports(folder.dir);
};

describe("check:imports", () => {
  test.each([
    ["protocol/wire/a.ts", 'import { x } from "../session/b.ts";'],
    ["protocol/session/a.ts", 'import { z } from "zod";'],
    ["protocol/session/a.ts", 'import { readFile } from "node:fs";'],
    ["schema/a.ts", 'export { x } from "../worker/b.ts";'],
    ["durable-objects/a.ts", 'import { x } from "../worker/b.ts";'],
    ["worker/a.ts", 'import { AgentObject } from "../durable-objects/agent-object.ts";'],
    ["worker/a.ts", 'import type { x } from "../protocol/session/b.ts";'],
    ["sdk/typescript/src/a.ts", 'import {\n  x,\n  y,\n} from "../../../scripts/b.ts";'],
    ["examples/typescript/a.ts", 'const x = await import("../../protocol/wire/ids.ts");'],
    ["scripts/a.ts", 'import "../worker/b.ts";'],
    ["bench/a.ts", 'import { x } from "../durable-objects/b.ts";'],
  ])("%s may not: %s", async (path, source) => {
    const violations = await importsOf(path, source);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(new RegExp(`^${path}:1: .* may import .*Instead: `));
  });

  test.each([
    ["protocol/session/a.ts", 'import { x } from "../wire/b.ts";\nimport { y } from "./c.ts";'],
    [
      "worker/a.ts",
      'import type { AgentObject } from "../durable-objects/agent-object.ts";\nimport { Hono } from "hono";',
    ],
    ["worker/index.ts", 'export { AgentObject } from "../durable-objects/agent-object.ts";'],
    ["schema/a.ts", 'import { text } from "drizzle-orm/sqlite-core";'],
    ["sdk/typescript/src/a.ts", 'import { WebSocket } from "ws";\nimport { x } from "../../../protocol/session/b.ts";'],
  ])("%s may: %s", async (path, source) => {
    expect(await importsOf(path, source)).toEqual([]);
  });

  test.each([
    ["Date.now", "export const now = () => Date.now();"],
    ["new Date()", "export const now = () => new Date();"],
    ["Math.random", "export const dice = () => Math.random();"],
    ["crypto", "export const id = () => crypto.randomUUID();"],
    ["timers", "export const later = (f: () => void) => setTimeout(f, 1);"],
    ["async", "export const f = async () => 1;"],
    ["fetch", 'export const f = () => fetch("/");'],
  ])("the core may not use %s", async (name, source) => {
    expect(await importsOf("protocol/session/a.ts", source)).toEqual([
      expect.stringContaining(`protocol/session must not use ${name}. Instead: take it as an argument`),
    ]);
  });

  test("the core may speak of these in comments and messages", async () => {
    const source = '// No Date.now, no await.\nexport const detail = "await the answer, then fetch (again)";';
    expect(await importsOf("protocol/wire/a.ts", source)).toEqual([]);
  });
});

describe("check:rules", () => {
  const specification = "# Protocol\n\n**A1.** One.\n\n**A2.** Two.\n\n**S3.** Three, see **A1.** above.\n";

  test("every rule cited, by one title or by several", async () => {
    await using folder = await project({
      "docs/PROTOCOL.md": specification,
      "test/protocol/a.test.ts": 'test("[A1, S3] both", () => {});',
      "sdk/typescript/test/b.test.ts": "test.each([1])(\n  `[A2] for each`, () => {});",
    });
    expect(checkRules(folder.dir)).toEqual({ rules: 3, cited: 3, violations: [] });
  });

  test("a rule without a test, and a citation of no rule", async () => {
    await using folder = await project({
      "docs/PROTOCOL.md": `${specification}\n**A1.** Again.\n`,
      "test/protocol/a.test.ts": 'const x = row[A2]; test("[A1, B9] both", () => {});',
    });
    const { violations } = checkRules(folder.dir);
    expect(violations).toEqual([
      expect.stringContaining("the number A1 is given twice"),
      expect.stringContaining("rule A2 has no test"),
      expect.stringContaining("rule S3 has no test"),
      expect.stringContaining("test/protocol/a.test.ts: [B9] is no rule"),
    ]);
  });

  test("no specification, or one without rules, is a failure too", async () => {
    await using none = await project({});
    expect(checkRules(none.dir).violations).toEqual(["docs/PROTOCOL.md is missing."]);
    await using bare = await project({ "docs/PROTOCOL.md": "# Protocol\n" });
    expect(checkRules(bare.dir).violations).toEqual([expect.stringContaining("has no numbered rule")]);
  });
});
