// What some tests need from the machine beside Node, and what goes unseen without it. Tests skip by `has`; `npm test` says
// what was skipped and why.

import { spawnSync } from "node:child_process";
import { interpreterOf, languageNames } from "./languages.ts";

const tools = {
  openssl: {
    probe: ["openssl", "version"],
    without: "scripts/generate_ca.sh and generate_agent_cert.sh are not tried",
  },
  bash: { probe: ["bash", "--version"], without: "the shell scripts are not tried" },
} as const;

export type Tool = keyof typeof tools;

/** Whether this machine has a tool that a test needs. */
export function has(tool: Tool): boolean {
  const [command, ...rest] = tools[tool].probe;
  return spawnSync(command, rest, { stdio: "ignore" }).status === 0;
}

/** One sentence for each tool that is missing here. */
export function missingTools(): string[] {
  const missing = (Object.keys(tools) as Tool[]).filter((tool) => !has(tool));
  const silent = languageNames.flatMap((name) => {
    const found = interpreterOf(name);
    return "install" in found
      ? [`the SDK for ${name} is not tried, by itself or with the others: install ${found.install}.`]
      : [];
  });
  return [...missing.map((tool) => `${tool} is not installed: ${tools[tool].without}.`), ...silent];
}
