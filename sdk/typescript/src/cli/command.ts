// What a command is: its name, its help with an example, its flags, and what it does. The commands themselves are beside this file.
import type { ParseArgsConfig } from "node:util";
import type { Output } from "./output.ts";
import { findTarget, type Target } from "./target.ts";
import { UsageError } from "./usage.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
/** The flags as they were given. */
export type Flags = Record<string, string | boolean | string[] | undefined>;

export interface Context {
  flags: Flags;
  args: readonly string[];
  output: Output;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Which API is asked; found anew at each call. */
  target(): Promise<Target>;
}

export interface Command {
  /** One or two words. */
  name: string;
  /** After the name: `AGENT [--days N]`. */
  args: string;
  summary: string;
  /** Flags and what they do, a line each, without those that every command has. */
  help?: readonly string[];
  example: string;
  options?: Options;
  /** Least and most positional arguments. */
  takes: readonly [number, number];
  run(context: Context): Promise<number | undefined>;
}

/** Flags of every command. */
export const commonOptions = {
  api: { type: "string" },
  profile: { type: "string" },
  state: { type: "string", default: ".agentworks" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const satisfies Options;

export const commonHelp = [
  "--api URL        which API to ask, where it is neither the broker in this folder nor that of your login",
  "--profile NAME   the login of that name",
  "--state DIR      state folder of an embedded broker, and of agents' keys (default .agentworks)",
  "--json           JSON on stdout instead of text",
  "--help           this text",
];

export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  if (value === "") throw new UsageError(`--${name} needs a value.`);
  return typeof value === "string" ? value : undefined;
}

/** A whole number from a flag. */
export function count(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new UsageError(`--${name} takes a whole number, not "${value}".`);
}

export const contextOf = (given: Pick<Context, "flags" | "args" | "output" | "env" | "signal">): Context => ({
  ...given,
  target: async () => {
    const { flags, env, signal } = given;
    const state = text(flags, "state") ?? ".agentworks";
    return findTarget({ api: text(flags, "api"), profile: text(flags, "profile"), state, signal }, env);
  },
});

/** The positional at an index; that there is one was checked by `takes`. */
export const arg = ({ args }: Context, index: number): string => args[index] ?? "";
