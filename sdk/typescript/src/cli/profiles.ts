// Where a person's API keys are kept: one file of profiles in the user's configuration folder, readable by its owner alone.
import { randomUUID } from "node:crypto";
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { makeFolder } from "../folders.ts";
import { UsageError } from "./usage.ts";

export interface Profile {
  /** URL of the API. */
  api: string;
  key: string;
}

export interface Profiles {
  /** The one that is used when none is named. */
  current: string;
  profiles: Record<string, Profile>;
}

export const defaultProfile = "default";

/** `$XDG_CONFIG_HOME/agentworks/profiles.json`, or below `~/.config`. */
export function profilesFile(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "agentworks", "profiles.json");
}

/** What is said of a profile that is not there. */
export function noProfile(name: string, profiles: Record<string, Profile>): string {
  const names = Object.keys(profiles).sort();
  const others = names.length === 0 ? "" : ` There are: ${names.join(", ")}.`;
  return `There is no profile "${name}": make it by \`agentworks login --profile ${name} --api URL\`.${others}`;
}

const isProfile = (value: unknown): value is Profile =>
  typeof value === "object" &&
  value !== null &&
  "api" in value &&
  "key" in value &&
  typeof value.api === "string" &&
  typeof value.key === "string";

/** What is kept; nothing where there is no file. Throws a UsageError for a file that is damaged. */
export async function readProfiles(env: NodeJS.ProcessEnv): Promise<Profiles> {
  const file = profilesFile(env);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code !== "ENOENT") {
      throw new UsageError(`${file} cannot be read: ${error.message}.`);
    }
    return { current: defaultProfile, profiles: {} };
  }
  try {
    const { current, profiles } = JSON.parse(text) as Profiles;
    if (typeof current !== "string" || !Object.values(profiles).every(isProfile)) throw new Error("not profiles");
    // Names are the user's: none of them may be found on a prototype.
    return { current, profiles: Object.assign(Object.create(null), profiles) };
  } catch {
    throw new UsageError(`${file} is damaged: remove it, and run \`agentworks login\` again.`);
  }
}

/** Replaces the file whole, mode 0600. */
export async function writeProfiles(env: NodeJS.ProcessEnv, profiles: Profiles): Promise<void> {
  const file = profilesFile(env);
  await makeFolder(dirname(file));
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
    await chmod(draft, 0o600);
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
