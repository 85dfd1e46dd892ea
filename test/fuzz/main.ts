// npm run fuzz: inputs that nobody would send, at the codec, the core, our client half and a live socket. Only what the documents
// say may come of them. One seed makes the whole run again.
import { readCommandLine } from "../../scripts/command-line.ts";
import { Failure, runCommand } from "../../scripts/failure.ts";
import { type Campaign, campaign, type Finding, runChunk } from "./campaign.ts";
import { client } from "./client.ts";
import { codec } from "./codec.ts";
import { core } from "./core.ts";
import { liveCampaign, runLiveChunk } from "./live.ts";

const usage = `Usage: npm run fuzz -- [--inputs N] [--seed S] [--json]

Throws arbitrary bytes and mutated envelopes at the codec, the broker's core in every state of a session, the client half, and
live sockets of a broker of its own through the mutual TLS edge. Counts outcomes that no document names: there must be none.

  --inputs N     frames in all (default 20000)
  --seed S       makes the same run again (default: another one each time)
  --only TARGET  codec, core, client or live
  --path P       with --only and --seed: the one failing case that a run printed
  --json         prints one JSON object as the last line`;

/** How the inputs are shared out. A live frame takes a hundred times what one in memory takes. */
const shares = { codec: 0.4, core: 0.45, client: 0.13, live: 0.02 };
type Name = keyof typeof shares;
const names = Object.keys(shares) as Name[];

type Tell = (sofar: number) => void;
const targets: Record<Name, (seed: number, inputs: number, tell: Tell) => Campaign | Promise<Campaign>> = {
  codec: (...run) => campaign(codec, ...run),
  core: (...run) => campaign(core, ...run),
  client: (...run) => campaign(client, ...run),
  live: (...run) => liveCampaign(...run),
};

const always = () => true;
const replays: Record<Name, (seed: number, path: string) => Finding | undefined | Promise<Finding | undefined>> = {
  codec: (seed, path) => runChunk(codec, seed, path, always),
  core: (seed, path) => runChunk(core, seed, path, always),
  client: (seed, path) => runChunk(client, seed, path, always),
  live: (seed, path) => runLiveChunk(seed, path, always),
};

function integer(flag: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new Failure(`${flag} takes an integer, not "${text}".`);
}

function nameOf(text: string): Name {
  const name = names.find((one) => one === text);
  if (name === undefined) throw new Failure(`--only takes one of ${names.join(", ")}, not "${text}".`);
  return name;
}

/** How much of an input is shown. */
const shownChars = 1_000;

function report(name: Name, { message, seed, path, texts }: Finding): void {
  console.error(`\nUndocumented, ${name}: ${message}`);
  for (const text of texts) console.error(`  ${JSON.stringify(text).slice(0, shownChars)}`);
  console.error(`  npm run fuzz -- --only ${name} --seed ${seed} --path ${path}`);
}

/** Tells how far it is, every five seconds. */
function progress(name: Name): Tell {
  let told = performance.now();
  return (sofar) => {
    if (performance.now() - told < 5_000) return;
    told = performance.now();
    console.error(`${name}: ${sofar} inputs`);
  };
}

const row = (...cells: (string | number)[]) =>
  cells.map((cell, i) => (i === 0 ? String(cell).padEnd(8) : String(cell).padStart(14))).join("");

await runCommand(async () => {
  const { values } = readCommandLine(usage, {
    inputs: { type: "string", default: "20000" },
    seed: { type: "string" },
    only: { type: "string" },
    path: { type: "string" },
    json: { type: "boolean" },
  });
  const inputs = integer("--inputs", values.inputs);
  if (inputs < 1) throw new Failure("--inputs takes 1 or more.");
  const seed = values.seed === undefined ? Date.now() | 0 : integer("--seed", values.seed);
  const only = values.only === undefined ? undefined : nameOf(values.only);

  if (values.path !== undefined) {
    if (only === undefined || values.seed === undefined) throw new Failure("--path goes with --only and --seed.");
    const finding = await replays[only](seed, values.path);
    if (finding === undefined) console.log("Nothing undocumented came of it.");
    else report(only, finding);
    process.exitCode = finding === undefined ? 0 : 1;
    return;
  }

  console.error(`seed ${seed}`);
  const sum = { inputs: 0, undocumented: 0 };
  console.log(row("", "inputs", "undocumented", "seconds"));
  for (const name of only === undefined ? names : [only]) {
    const started = performance.now();
    const share = only === undefined ? shares[name] : 1;
    const ran = await targets[name](seed, Math.ceil(inputs * share), progress(name));
    for (const finding of ran.findings) report(name, finding);
    sum.inputs += ran.inputs;
    sum.undocumented += ran.findings.length;
    console.log(row(name, ran.inputs, ran.findings.length, ((performance.now() - started) / 1000).toFixed(1)));
  }
  if (values.json) console.log(JSON.stringify(sum));
  process.exitCode = sum.undocumented === 0 ? 0 : 1;
});
// A broker's runtime may hold the process for a moment longer than anybody needs it.
process.exit();
