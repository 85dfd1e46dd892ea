// npm run sdk:operations: writes the types by which the TypeScript SDK asks the HTTP API, from the document that a broker of this
// source serves. With --check it writes nothing, and fails where the file is not what it would write.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBroker } from "../broker/broker.ts";
import { readCommandLine } from "../command-line.ts";
import { Failure, runCommand } from "../failure.ts";
import { keepGenerated } from "../generated.ts";
import { root } from "../sources.ts";
import { operationsModule } from "./types.ts";

const usage = `Usage: npm run sdk:operations -- [--check]

Starts a broker, and writes what its openapi.json says as types of the TypeScript SDK.

  --check  writes nothing; exits 1 where the file is stale
  --help   this text`;

const path = "sdk/typescript/src/http/operations.ts";

/** What a broker of this source serves. */
async function servedDocument(): Promise<unknown> {
  const dir = await mkdtemp(join(tmpdir(), "agentworks-document-"));
  try {
    const broker = await startBroker({ stateDir: join(dir, "state") });
    try {
      return await (await fetch(new URL("/v1/openapi.json", broker.apiUrl))).json();
    } finally {
      await broker.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** As the project's style has it. */
function formatted(text: string): string {
  const biome = join(root, "node_modules/.bin/biome");
  const run = spawnSync(biome, ["format", `--stdin-file-path=${path}`], { cwd: root, input: text, encoding: "utf8" });
  if (run.status !== 0) throw new Failure(`biome cannot format what was made: ${run.stderr}`);
  return run.stdout;
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, { check: { type: "boolean", default: false } });
  const text = formatted(operationsModule(await servedDocument()));
  const fresh = "The operations of the SDK are those of openapi.json.";
  keepGenerated({ [path]: text }, { check: values.check, command: "npm run sdk:operations", fresh });
});
