// From nothing to the first task answered by an agent that was just created: at most three commands and sixty seconds, by the very
// lines of README, "Twenty lines".
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { Terminal } from "./terminal.ts";

const words = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");

test("README's first commands answer a task, in three commands and sixty seconds", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, section = ""] = readme.split("## Twenty lines");
  const [, first = "", , second = ""] = section.split("```");
  expect(first.trim()).toBe("npm start");
  const commands = second.trim().split("\n");
  expect(1 + commands.length).toBeLessThanOrEqual(3);

  await using terminal = await Terminal.open();
  const began = performance.now();
  await terminal.broker();
  let answer = "";
  for (const line of commands) {
    const [npx, name, ...args] = words(line);
    expect([npx, name]).toEqual(["npx", "agentworks"]);
    const { code, out, err } = await terminal.agentworks(
      ...args.map((arg) => arg.replace(/^examples\//, `${root}/examples/`)),
    );
    expect(code, err).toBe(0);
    answer = out;
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`from npm start to the first answered task: ${1 + commands.length} commands, ${seconds.toFixed(1)} s`);
  expect(answer).toBe("6\n");
  expect(seconds).toBeLessThan(60);
});
