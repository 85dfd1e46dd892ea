// The policy of an account: who may open sessions with whom, and who may offer which capability. Rules, and one pure function that
// decides by them. Rules are read in their order and the first that fits decides; where none fits, everybody in the account may.
import { z } from "zod";
import { AgentId, CapabilityName } from "../protocol/wire/ids.ts";
import { bounds } from "./bounds.ts";

/** A mark on agents that rules go by: the alphabet of agents. */
export const Tag = AgentId;

/** Agents of one side: all where it is empty, else those of that name, with that tag, or that announced that capability. */
const Selector = z
  .union([
    z.strictObject({ agent: AgentId }),
    z.strictObject({ tag: Tag }),
    z.strictObject({ capability: CapabilityName }),
    z.strictObject({}),
  ])
  .meta({ id: "Selector" });
export type Selector = z.infer<typeof Selector>;

const effect = z.enum(["allow", "deny"]);

export const Rule = z
  .discriminatedUnion("action", [
    z.strictObject({
      effect,
      action: z.literal("open").describe("opening a session"),
      from: Selector.default({}).describe("who opens"),
      to: Selector.default({}).describe("with whom"),
    }),
    z.strictObject({
      effect,
      action: z.literal("offer").describe("announcing a capability, and being found by it"),
      agent: Selector.default({}),
      capability: CapabilityName.optional().describe("left out: any"),
    }),
  ])
  .meta({ id: "Rule" });
export type Rule = z.infer<typeof Rule>;

export const Rules = z.array(Rule).max(bounds.policyRulesMax);

/** An agent, as rules see it. */
export interface Party {
  agent: string;
  tags: readonly string[];
  /** The names of what it announced. */
  capabilities: readonly string[];
}

export type PolicyQuestion =
  | { action: "open"; from: Party; to: Party }
  | { action: "offer"; agent: Party; capability: string };

function selects(selector: Selector, { agent, tags, capabilities }: Party): boolean {
  if ("agent" in selector) return selector.agent === agent;
  if ("tag" in selector) return tags.includes(selector.tag);
  if ("capability" in selector) return capabilities.includes(selector.capability);
  return true;
}

function fits(rule: Rule, question: PolicyQuestion): boolean {
  if (rule.action === "open") {
    return question.action === "open" && selects(rule.from, question.from) && selects(rule.to, question.to);
  }
  const { capability } = rule;
  if (question.action !== "offer" || (capability !== undefined && capability !== question.capability)) return false;
  return selects(rule.agent, question.agent);
}

/** The place of the rule that decides; undefined: none fits. Pure. */
export function decidingRule(rules: readonly Rule[], question: PolicyQuestion): number | undefined {
  const place = rules.findIndex((rule) => fits(rule, question));
  return place < 0 ? undefined : place;
}

/** Whether the rules allow it. Pure. */
export function judgePolicy(rules: readonly Rule[], question: PolicyQuestion): boolean {
  return rules[decidingRule(rules, question) ?? rules.length]?.effect !== "deny";
}
