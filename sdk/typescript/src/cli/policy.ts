// policy …: who may open sessions with whom, and who may offer what.
import { readFile } from "node:fs/promises";
import type { Policy, Rule, Selector } from "../http/operations.ts";
import { arg, type Command, text } from "./command.ts";
import { table } from "./output.ts";
import { exitCodes, UsageError } from "./usage.ts";

/** A side of a rule: `agent=planner`, or `*` for everybody. */
const sideText = (side: Selector = {}): string => {
  const [[kind, name] = []] = Object.entries(side);
  return kind === undefined ? "*" : `${kind}=${name}`;
};

/** What a rule is about, as people read it. */
const aboutText = (rule: Rule): string =>
  rule.action === "open"
    ? `${sideText(rule.from)} → ${sideText(rule.to)}`
    : `${rule.capability ?? "*"} by ${sideText(rule.agent)}`;

const rulesText = (rules: readonly Rule[]): string =>
  rules.length === 0
    ? "No rules: everybody in the account may.\n"
    : table(
        ["RULE", "EFFECT", "ACTION", "WHO"],
        rules.map((rule, place) => [String(place), rule.effect, rule.action, aboutText(rule)]),
      );

const get: Command = {
  name: "policy get",
  args: "",
  summary: "the rules: the first that fits decides",
  help: ["With --json: as `policy set` takes it, with the `etag` for --if-match."],
  example: "agentworks policy get --json > policy.json",
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const { data, etag } = await api.send("GET /v1/policy");
    context.output.result({ ...data, etag }, () => rulesText(data.rules));
  },
};

/** A file of rules; `-` is stdin. `etag` is what `policy get --json` said beside them. */
async function readRules(file: string): Promise<Policy & { etag?: unknown }> {
  let read: string;
  try {
    read = await readFile(file === "-" ? "/dev/stdin" : file, "utf8");
  } catch (error) {
    throw new UsageError(`The rules in ${file} cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(read);
  } catch (error) {
    throw new UsageError(`${file} is no JSON: ${error instanceof Error ? error.message : error}.`);
  }
  const isPolicy = typeof value === "object" && value !== null && "rules" in value && Array.isArray(value.rules);
  if (!isPolicy)
    throw new UsageError(`${file} is no policy: {"rules": […]}, as \`agentworks policy get --json\` prints it.`);
  // What a rule must look like is the broker's to say.
  return value as Policy;
}

const set: Command = {
  name: "policy set",
  args: "FILE [--if-match ETAG]",
  summary: "replace the rules by those of a file",
  help: [
    'FILE             JSON, {"rules": […]}; - is stdin',
    "--if-match ETAG  only if they are still those that were seen: the `etag` of `policy get --json`,",
    "                 which is also taken from FILE where it is there",
    "They count for sessions that are opened and capabilities that are announced from now on.",
  ],
  example: "agentworks policy set policy.json",
  options: { "if-match": { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const { rules, etag } = await readRules(context.args[0] ?? "");
    const ifMatch = text(context.flags, "if-match") ?? (typeof etag === "string" ? etag : undefined);
    const { api } = await context.target();
    const set = await api.send("PUT /v1/policy", { body: { rules }, ifMatch });
    context.output.result({ ...set.data, etag: set.etag }, () => rulesText(set.data.rules));
  },
};

const test: Command = {
  name: "policy test",
  args: "AGENT [--to AGENT] [--capability NAME]",
  summary: "whether an agent may open a session with another, or offer a capability, and which rule decides",
  help: [
    "--to AGENT         may it open a session with that one?",
    "--capability NAME  may it offer that? With --to: may it find that one by it?",
    "Ends with 0 where it is allowed, with 1 where it is denied.",
  ],
  example: "agentworks policy test planner --to analyst",
  options: { to: { type: "string" }, capability: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const agent = arg(context, 0);
    const [to, capability] = [text(context.flags, "to"), text(context.flags, "capability")];
    if (to === undefined && capability === undefined) throw new UsageError("Ask by --to, by --capability, or by both.");
    const { api } = await context.target();
    const decided = await api.request("GET /v1/policy/decision", { query: { agent, to, capability } });
    const { allowed, rule, place } = decided;
    const by = capability === undefined ? "" : ` by ${capability}`;
    const what = to === undefined ? `offer ${capability}` : `open sessions with ${to}${by}`;
    const why = rule === null ? "no rule fits" : `rule ${place}: ${rule.effect} ${rule.action} ${aboutText(rule)}`;
    context.output.result(decided, () => `${agent} may${allowed ? "" : " not"} ${what} (${why}).\n`);
    return allowed ? exitCodes.done : exitCodes.failed;
  },
};

export const policyCommands: readonly Command[] = [get, set, test];
