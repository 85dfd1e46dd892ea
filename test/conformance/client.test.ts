// The suite for clients: the TypeScript SDK passes it, and a client that makes one mistake is caught, by the rule that it breaks.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runClientSuite } from "../../conformance/client/suite.ts";
import { interpreterOf } from "../../scripts/languages.ts";
import { root } from "../../scripts/sources.ts";
import { mistakes } from "./wrong.ts";

const agent = (file: string): string => join(root, "conformance/agents", file);
const typescript = [process.execPath, agent("typescript.ts")];
/** The program over another language's SDK; undefined where that cannot run here (npm test says so). */
const others = (["python", "ruby"] as const).map((name) => {
  const found = interpreterOf(name);
  const file = agent(name === "python" ? "python.py" : "ruby.rb");
  return { name, command: "command" in found ? [found.command, file] : undefined };
});
const wrong = (mistake: string) => [process.execPath, join(root, "test/conformance/wrong.ts"), mistake];

// They mostly wait: beside each other they take a third of the time.
describe.concurrent("every check is passed by", () => {
  for (const { name, command = [] } of [{ name: "typescript", command: typescript }, ...others]) {
    it.skipIf(command.length === 0)(`the SDK for ${name}`, { timeout: 240_000 }, async () => {
      const verdicts = await runClientSuite({ command, atOnce: 3 });
      expect(verdicts.filter(({ result }) => result === "broken")).toEqual([]);
      expect(verdicts.filter(({ result }) => result === "ok").length).toBeGreaterThan(60);
    });
  }
});

describe("the suite for clients", () => {
  it("a program that never connects is told so at once, with what it printed", async () => {
    const command = [process.execPath, "-e", "console.log('no broker'); process.exit(3)"];
    const verdicts = await runClientSuite({ command });
    expect(verdicts).toHaveLength(1);
    expect(verdicts[0]).toMatchObject({
      result: "broken",
      detail: expect.stringMatching(/did not connect.*no broker/),
    });
  }, 60_000);

  it("a client that makes none of these mistakes passes the checks that find them", async () => {
    const only = Object.values(mistakes).map(([, title]) => title);
    const verdicts = await runClientSuite({ command: wrong("none"), only });
    expect(verdicts.filter(({ result }) => result !== "ok")).toEqual([]);
    expect(verdicts.length).toBeGreaterThanOrEqual(new Set(only).size);
  }, 120_000);

  const found = Object.entries(mistakes).map(([mistake, [rule, title]]) => ({ mistake, rule, title }));
  it.each(found)(
    "a client that $mistake breaks $rule",
    async ({ mistake, rule, title }) => {
      const verdicts = await runClientSuite({ command: wrong(mistake), only: [title] });
      expect(verdicts.map((verdict) => verdict.rule)).toEqual([rule]);
    },
    60_000,
  );
});
