// npm run test:interop: agents of every SDK with agents of every other, over real mutual TLS and a real broker. Prints a table of
// scenarios and pairs as it goes, then what failed and the command that shows it again.
import { readCommandLine } from "../../scripts/command-line.ts";
import { Failure, runCommand } from "../../scripts/failure.ts";
import { findLanguages, type Language, type Missing } from "./languages.ts";
import { type Cell, playRow, Seat } from "./play.ts";
import { scenarios } from "./scenarios/all.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { Stage } from "./stage.ts";

const usage = `Usage: npm run test:interop -- [flags]

Lets agents of each language work with agents of each: typescript, python, ruby. The first of a pair opens the sessions.
Exits 0 only when nothing failed; where CI is set in the environment, nothing may be missing either.

  --pair A-B        only this pair (several: with commas)
  --scenario NAME   only this scenario (several: with commas)
  --json            prints one JSON object as the last line
  --help            this text

Scenarios:
${scenarios.map(({ name, shows }) => `  ${name.padEnd(17)} ${shows}`).join("\n")}`;

interface PairPlan {
  name: string;
  /** As it stands in the table. */
  short: string;
  seat: Seat | undefined;
}

/** Every ordered pair; one without a seat has a language that this machine cannot run. */
function allPairs(found: readonly Language[], missing: readonly Missing[]): PairPlan[] {
  const all = [...found, ...missing];
  return all.flatMap((a) =>
    all.map((b) => {
      const seat = "command" in a && "command" in b ? new Seat(a, b) : undefined;
      return { name: `${a.name}-${b.name}`, short: `${a.short}·${b.short}`, seat };
    }),
  );
}

/** Those that a flag names, or all. */
function chosen<T extends { name: string }>(flag: string, text: string | undefined, all: readonly T[]): T[] {
  if (text === undefined) return [...all];
  return text.split(",").map((name) => {
    const one = all.find((each) => each.name === name.trim());
    if (one !== undefined) return one;
    throw new Failure(`${flag} takes one of ${all.map((each) => each.name).join(", ")}; not "${name}".`);
  });
}

const nameWidth = Math.max(...scenarios.map(({ name }) => name.length));
const cellWidth = 7;

async function playAll(pairs: readonly PairPlan[], rows: readonly Scenario[]): Promise<Cell[]> {
  const seats = pairs.flatMap(({ seat }) => seat ?? []);
  const cells: Cell[] = [];
  console.log(`${"".padEnd(nameWidth)} ${pairs.map(({ short }) => short.padStart(cellWidth)).join("")}`);
  const stage = await Stage.set();
  const leave = () => void stage.strike().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, leave);
  try {
    for (const scenario of rows) {
      process.stdout.write(`${scenario.name.padEnd(nameWidth)} `);
      const row = await playRow(stage, scenario, seats);
      cells.push(...row);
      const words = pairs.map(({ name, seat }) => {
        if (seat === undefined) return "skip";
        const cell = row.find(({ pair }) => pair === name);
        return cell?.failure === undefined ? `${cell?.seconds.toFixed(1)}s` : "FAILED";
      });
      console.log(words.map((word) => word.padStart(cellWidth)).join(""));
    }
  } finally {
    await Promise.all(seats.map((seat) => seat.end()));
    await stage.strike();
  }
  return cells;
}

await runCommand(async () => {
  const { values, positionals } = readCommandLine(usage, {
    pair: { type: "string" },
    scenario: { type: "string" },
    json: { type: "boolean", default: false },
  });
  if (positionals.length > 0) {
    throw new Failure(`npm run test:interop takes no argument "${positionals[0]}".\n\n${usage}`);
  }
  const { found, missing } = findLanguages();
  const pairs = chosen("--pair", values.pair, allPairs(found, missing));
  const rows = chosen("--scenario", values.scenario, scenarios);
  const started = performance.now();
  const cells = await playAll(pairs, rows);

  const failures = cells.filter(({ failure }) => failure !== undefined);
  const skipped = pairs.filter(({ seat }) => seat === undefined).length * rows.length;
  for (const { pair, scenario, failure } of failures) {
    console.log(`\n${pair}, ${scenario}: ${failure}`);
    console.log(`  npm run test:interop -- --pair ${pair} --scenario ${scenario}`);
  }
  const mustAll = process.env.CI !== undefined && process.env.CI !== "" && process.env.CI !== "false";
  if (skipped > 0) {
    const how = missing.map(({ name, install }) => `Without ${name}. Install ${install}.`).join("\n");
    console.log(`\n${how}${mustAll ? "\nCI is set: what is skipped has failed." : ""}`);
  }
  const failed = failures.length + (mustAll ? skipped : 0);
  const result = {
    pairs: pairs.length,
    scenarios: rows.length,
    passed: cells.length - failures.length,
    failed,
    skipped: mustAll ? 0 : skipped,
  };
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`\n${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped, in ${seconds} s.`);
  if (values.json) console.log(JSON.stringify(result));
  if (failed > 0) process.exitCode = 1;
});
process.exit();
