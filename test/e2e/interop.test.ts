// npm run test:interop in small: TypeScript with itself everywhere, and every pair where the other languages are there. All scenarios of all
// pairs are a command of their own, which CI runs.
import { describe, expect, test } from "vitest";
import { interpreterOf, languageNames } from "../../scripts/languages.ts";
import { run } from "./edge-fixtures.ts";

const speaksAll = languageNames.every((name) => "command" in interpreterOf(name));

/** The command's exit code and its last line. */
async function interop(...flags: string[]): Promise<{ code: number | null; out: string; last: unknown }> {
  const { code, stdout, stderr } = await run("test/interop/main.ts", [...flags, "--json"]).finished;
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  return { code, out: stdout + stderr, last: last.startsWith("{") ? JSON.parse(last) : last };
}

const some = ["lifecycle", "tasks", "cancel", "pause", "cut", "broker-restart", "performer-killed"];

describe("npm run test:interop", () => {
  test("TypeScript with TypeScript", async () => {
    const { out, last } = await interop("--pair", "typescript-typescript", "--scenario", some.join(","));
    expect(last, out).toEqual({ pairs: 1, scenarios: some.length, passed: some.length, failed: 0, skipped: 0 });
  });

  test.skipIf(!speaksAll)("every pair", { timeout: 180_000 }, async () => {
    const { out, last } = await interop("--scenario", some.join(","));
    expect(last, out).toEqual({ pairs: 9, scenarios: some.length, passed: 9 * some.length, failed: 0, skipped: 0 });
  });

  test("says which scenarios and pairs there are", async () => {
    const scenario = await interop("--scenario", "chess");
    expect(scenario.out).toMatch(/^--scenario takes one of lifecycle, .*; not "chess"\.\n/);
    const pair = await interop("--pair", "typescript-cobol");
    expect(pair.out).toMatch(/^--pair takes one of typescript-typescript, .*; not "typescript-cobol"\.\n/);
    expect([scenario.code, pair.code]).toEqual([1, 1]);
  });
});
