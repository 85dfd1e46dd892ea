#!/usr/bin/env node
// agentworks: the command line. It finds the command, reads its flags, runs it, and says how it ended.
import { parseArgs } from "node:util";
import { AgentworksError } from "../error.ts";
import { sdkVersion } from "../version.ts";
import { accountCommands } from "./account.ts";
import { agentCommands } from "./agents.ts";
import { ask } from "./ask.ts";
import { type Command, commonHelp, commonOptions, contextOf, type Flags } from "./command.ts";
import { deadLetterCommands } from "./dead-letters.ts";
import { keyCommands } from "./keys.ts";
import { loginCommands } from "./login.ts";
import { Output, printableLines } from "./output.ts";
import { policyCommands } from "./policy.ts";
import { agentRun } from "./run.ts";
import { sessionCommands } from "./sessions.ts";
import { CommandFailed, CredentialsMissing, exitCodes, UsageError } from "./usage.ts";

const commands: readonly Command[] = [
  ...loginCommands,
  ...agentCommands,
  agentRun,
  ask,
  ...keyCommands,
  ...sessionCommands,
  ...deadLetterCommands,
  ...policyCommands,
  ...accountCommands,
];

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}\n`).join("");

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return `Usage: agentworks COMMAND [flags]

${indent(commands.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}`))}
Every command has --help, with an example, and --json.

  agentworks agent create summarizer
  agentworks agent run ./my-agent.ts

Ends with 0: done; 1: refused or failed; 2: wrong usage; 3: nobody answered, try again; 4: no credential, or one that is not taken.
`;
}

function helpOf({ name, args, summary, help = [], example }: Command): string {
  return `Usage: agentworks ${name}${args === "" ? "" : ` ${args}`}

${summary.charAt(0).toUpperCase()}${summary.slice(1)}.

${indent(help)}${help.length === 0 ? "" : "\n"}${indent(commonHelp)}
Example:

  ${example}
`;
}

/** The command that the first words name, and what is left of them. */
function findCommand(words: readonly string[]): { command: Command; rest: string[] } {
  const named = (length: number) => commands.find(({ name }) => name === words.slice(0, length).join(" "));
  for (const length of [2, 1]) {
    const command = named(length);
    if (command !== undefined) return { command, rest: words.slice(length) };
  }
  const [first = ""] = words;
  const group = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (group.length > 0) throw new UsageError(`Say which: ${group.join(", ")}.`);
  const said = first.startsWith("-") ? [first] : words.slice(0, 2).filter((word) => !word.startsWith("-"));
  const meant = commands.find(({ name }) => name.split(" ").includes(first));
  const advice = meant === undefined ? "`agentworks --help` lists them." : `Say \`agentworks ${meant.name}\`.`;
  throw new UsageError(`There is no command "${said.join(" ")}". ${advice}`);
}

function parse({ options, name, takes }: Command, rest: string[]): { flags: Flags; args: string[] } {
  const hint = `\`agentworks ${name} --help\` says more.`;
  let parsed: { values: Flags; positionals: string[] };
  try {
    parsed = parseArgs({ args: rest, options: { ...commonOptions, ...options }, allowPositionals: true, strict: true });
  } catch (error) {
    const why = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`${why}. ${hint}`);
  }
  const { values: flags, positionals: args } = parsed;
  const [least, most] = takes;
  if (flags.help !== true && (args.length < least || args.length > most)) {
    throw new UsageError(
      args.length < least ? `Something is missing. ${hint}` : `"${args[most]}" is too much. ${hint}`,
    );
  }
  return { flags, args };
}

const credentialReasons = new Set(["credentials_required", "credentials_invalid", "enrolment_token_invalid"]);
const unavailableReasons = new Set(["connection_failed", "issuer_unavailable"]);

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof CredentialsMissing) return exitCodes.credentials;
  if (!(error instanceof AgentworksError)) return exitCodes.failed;
  if (error.reason === "invalid_argument") return exitCodes.usage;
  if (credentialReasons.has(error.reason) || error.reason.startsWith("api_key_")) return exitCodes.credentials;
  return unavailableReasons.has(error.reason) ? exitCodes.unavailable : exitCodes.failed;
}

/** What is said of an error: a sentence for people, an object for programs. Bugs keep their stack. */
function say(error: unknown, json: boolean): void {
  const sayable = [UsageError, CommandFailed, CredentialsMissing, AgentworksError];
  const known = sayable.some((kind) => error instanceof kind);
  if (!json) {
    // What a peer or a broker said is in it.
    console.error(known && error instanceof Error ? printableLines(error.message) : error);
    return;
  }
  const { message: detail } = error instanceof Error ? error : new Error(String(error));
  const reason =
    error instanceof UsageError ? "usage" : error instanceof CredentialsMissing ? "credentials_required" : "failed";
  const told =
    error instanceof AgentworksError
      ? { reason: error.reason, code: error.code, detail: error.detail, retryable: error.retryable }
      : { reason, detail };
  console.error(JSON.stringify({ error: told }));
}

async function main(words: string[]): Promise<number> {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => abort.abort());
  let json = words.includes("--json");
  try {
    const [first] = words;
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      process.stdout.write(overview());
      return exitCodes.done;
    }
    if (first === "--version") {
      process.stdout.write(`${sdkVersion.split("/")[1]}\n`);
      return exitCodes.done;
    }
    const { command, rest } = findCommand(words);
    const { flags, args } = parse(command, rest);
    if (flags.help === true) {
      process.stdout.write(helpOf(command));
      return exitCodes.done;
    }
    json = flags.json === true;
    const output = new Output({ out: process.stdout, err: process.stderr }, json);
    const context = contextOf({ flags, args, output, env: process.env, signal: abort.signal });
    return (await command.run(context)) ?? exitCodes.done;
  } catch (error) {
    say(error, json);
    return exitCodeOf(error);
  }
}

process.exitCode = await main(process.argv.slice(2));
