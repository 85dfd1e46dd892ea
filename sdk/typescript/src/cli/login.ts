// login, logout, profile …: API keys that are kept for later commands. A key is read from the terminal unseen, or from stdin.
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { HttpApi } from "../http/http-api.ts";
import { type Command, text } from "./command.ts";
import { table } from "./output.ts";
import { defaultProfile, noProfile, profilesFile, readProfiles, writeProfiles } from "./profiles.ts";
import { UsageError } from "./usage.ts";

/** One line of stdin; what is typed is not shown. */
async function readSecret(prompt: string): Promise<string> {
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(prompt);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal });
  try {
    for await (const line of lines) return line.trim();
    return "";
  } finally {
    lines.close();
    if (terminal) process.stderr.write("\n");
  }
}

const login: Command = {
  name: "login",
  args: "--api URL [--profile NAME]",
  summary: "keep an API key for later commands; with a broker in this folder none is needed",
  help: [
    "The key is asked for, or read from stdin or AGENTWORKS_API_KEY. It is kept in your configuration folder, for you alone.",
    "--profile NAME  keep it by that name, beside others; the latest login is the one that is used (default: default)",
  ],
  example: "agentworks login --api https://api.example.com",
  takes: [0, 0],
  async run({ flags, output, env, signal }) {
    const url = text(flags, "api") ?? env.AGENTWORKS_API;
    if (!url) throw new UsageError("Name the API: agentworks login --api URL");
    const key = env.AGENTWORKS_API_KEY || (await readSecret("API key: "));
    if (key === "") throw new UsageError("No key was given.");
    const api = new HttpApi({ url, credential: key, signal });
    // A key that is not taken is not kept. What it may not read, it may not read: that is no reason against it.
    await api.request("GET /v1/account").catch((error) => {
      if (error?.reason !== "permission_denied") throw error;
    });
    const name = text(flags, "profile") ?? defaultProfile;
    const { profiles } = await readProfiles(env);
    await writeProfiles(env, { current: name, profiles: { ...profiles, [name]: { api: api.url, key } } });
    const file = profilesFile(env);
    output.result(
      { profile: name, api: api.url, file },
      () => `Logged in to ${api.url}; the key is kept in ${file}.\n`,
    );
  },
};

const logout: Command = {
  name: "logout",
  args: "[--profile NAME]",
  summary: "forget the key of a profile; it is not revoked by that",
  help: ["--profile NAME  which one (default: the one that is used)"],
  example: "agentworks logout --profile production",
  takes: [0, 0],
  async run({ flags, output, env }) {
    const { current, profiles } = await readProfiles(env);
    const name = text(flags, "profile") ?? current;
    const { [name]: gone, ...left } = profiles;
    if (gone === undefined) throw new UsageError(noProfile(name, profiles));
    const next = name === current ? (Object.keys(left)[0] ?? defaultProfile) : current;
    await writeProfiles(env, { current: next, profiles: left });
    output.result({ profile: name, api: gone.api }, () => `The key for ${gone.api} is forgotten (profile ${name}).\n`);
  },
};

const list: Command = {
  name: "profile list",
  args: "",
  summary: "the logins that are kept, and which one is used",
  example: "agentworks profile list",
  takes: [0, 0],
  async run({ output, env }) {
    const { current, profiles } = await readProfiles(env);
    const kept = Object.entries(profiles).map(([profile, { api }]) => ({ profile, api, used: profile === current }));
    output.result({ profiles: kept }, () =>
      kept.length === 0
        ? "Nobody is logged in: agentworks login --api URL\n"
        : table(
            ["PROFILE", "API", "USED"],
            kept.map(({ profile, api, used }) => [profile, api, used ? "yes" : "-"]),
          ),
    );
  },
};

const use: Command = {
  name: "profile use",
  args: "NAME",
  summary: "which login is used where --profile names none",
  example: "agentworks profile use production",
  takes: [1, 1],
  async run({ args: [name = ""], output, env }) {
    const { profiles } = await readProfiles(env);
    const chosen = profiles[name];
    if (chosen === undefined) throw new UsageError(noProfile(name, profiles));
    await writeProfiles(env, { current: name, profiles });
    output.result({ profile: name, api: chosen.api }, () => `${name} is used from now on: ${chosen.api}\n`);
  },
};

export const loginCommands: readonly Command[] = [login, logout, list, use];
