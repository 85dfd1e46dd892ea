// The commands that a new user runs first, as processes: what they print last, and how they end.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { interpreterOf, languageNames } from "../../scripts/languages.ts";

const speaksAll = languageNames.every((name) => "command" in interpreterOf(name));
const root = fileURLToPath(new URL("../../", import.meta.url));
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "agentworks-commands-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  out: string;
}

/** Runs a script of the project under this very Node, to its end. */
function run(script: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, script), ...args], { cwd: root });
    let out = "";
    child.stdout.on("data", (data) => {
      out += String(data);
    });
    child.stderr.on("data", (data) => {
      out += String(data);
    });
    child.once("close", (code) => resolve({ code, out }));
  });
}

test("the demo loses, repeats and disorders nothing, though it cuts a socket and kills the broker", async () => {
  const files = [join(dir, "tiny.txt"), join(dir, "empty.txt")];
  for (const [i, file] of files.entries()) await writeFile(file, i === 0 ? "two words" : "");
  const { code, out } = await run("examples/typescript/demo/main.ts", ...files);
  const last = out.trimEnd().split("\n").at(-1) ?? "";
  expect(last, out).toMatch(/^\{.*\}$/);
  expect(JSON.parse(last)).toMatchObject({
    tasks: 2,
    succeeded: 2,
    brokerRestarts: 1,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
  });
  expect(JSON.parse(last).reconnects).toBeGreaterThanOrEqual(2);
  expect(code).toBe(0);
});

test.skipIf(!speaksAll)("the demo of three languages does the same", async () => {
  const files = ["one", "two", "three"].map((name) => join(dir, name));
  for (const file of files) await writeFile(file, `# ${file}\n\nwords and more words\n`);
  const { code, out } = await run("examples/interop/main.ts", ...files);
  const last = out.trimEnd().split("\n").at(-1) ?? "";
  expect(last, out).toMatch(/^\{.*\}$/);
  expect(JSON.parse(last)).toMatchObject({
    tasks: 6,
    succeeded: 6,
    brokerRestarts: 1,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
  });
  expect(JSON.parse(last).reconnects).toBeGreaterThanOrEqual(3);
  expect(code).toBe(0);
});

test("the demo says which file it cannot read", async () => {
  const { code, out } = await run("examples/typescript/demo/main.ts", join(dir, "nowhere.txt"));
  expect(out).toMatch(/^Cannot read .*nowhere\.txt/);
  expect(code).toBe(1);
});

test("wrangler takes the configuration as it is", async () => {
  const { code, out } = await run("node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--outdir", dir);
  expect(out).toContain("--dry-run: exiting now");
  expect(code).toBe(0);
});

test.each([
  ["an empty --state", ["--state", ""], "--state needs a value"],
  ["a folder that can never be made", ["--state", "/proc/agentworks"], "Cannot make the state folder /proc/agentworks"],
])("npm start refuses %s in one sentence", async (_, flags, sentence) => {
  const { code, out } = await run("scripts/start.ts", ...flags);
  expect(out).toContain(sentence);
  expect(code).toBe(1);
});
