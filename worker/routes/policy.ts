// The policy of an account: read and replaced as a whole. It is judged where sessions are opened and capabilities announced.
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { Policy, PolicyDecision, PolicyDecisionQuery } from "../../schema/http-accounts.ts";
import { decidingRule, type Party, type PolicyQuestion, type Rule } from "../../schema/policy.ts";
import { agentExists, findParties, findPolicy, savePolicy } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { etagOf, wantedRevision } from "../etag.ts";
import { authorOf } from "../identity/middleware.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";

const show = guardedRoute({
  method: "get",
  path: "/v1/policy",
  description: "The rules of the account: the first that fits decides; where none fits, everybody in the account may.",
  access: { permission: "policy:read" },
  tagged: true,
  responses: { 200: json(Policy, "the rules") },
});

const replace = guardedRoute({
  method: "put",
  path: "/v1/policy",
  description:
    "Replaces the rules. They count for sessions that are opened and capabilities that are announced from now on.",
  access: { permission: "policy:write" },
  request: { body: body(Policy) },
  tagged: true,
  responses: { 200: json(Policy, "the rules as they are now") },
});

const decide = guardedRoute({
  method: "get",
  path: "/v1/policy/decision",
  description:
    "What the rules say now: whether one agent may open a session with another (by a capability), or may offer one, and which rule decides. It changes nothing.",
  access: { permission: "policy:read" },
  request: { query: PolicyDecisionQuery },
  refuses: ["agent_not_found"],
  responses: { 200: json(PolicyDecision, "what is decided, and by which rule") },
});

/** What is asked about agents as the rules see them: of a session by capability both, as where one is opened (PROTOCOL N18). */
function questionsOf([agent, to]: readonly Party[], capability: string | undefined): PolicyQuestion[] {
  if (agent === undefined) return [];
  const open = to === undefined ? [] : [{ action: "open" as const, from: agent, to }];
  const offer = capability === undefined ? [] : [{ action: "offer" as const, agent: to ?? agent, capability }];
  return [...open, ...offer];
}

/** The decision: the first that denies, else the last one that a rule made. */
function decisionOf(rules: readonly Rule[], questions: readonly PolicyQuestion[]): z.infer<typeof PolicyDecision> {
  const decided = questions.flatMap((question) => {
    const place = decidingRule(rules, question);
    const rule = place === undefined ? undefined : rules[place];
    return place === undefined || rule === undefined ? [] : { allowed: rule.effect === "allow", rule, place };
  });
  return decided.find(({ allowed }) => !allowed) ?? decided.at(-1) ?? { allowed: true, rule: null, place: null };
}

export function policyRoutes(app: OpenAPIHono<App>): void {
  app.openapi(show, async (c) => {
    const policy = await findPolicy(drizzle(c.env.DB), c.var.principal.account);
    if (policy === undefined) return problem(c, "account_not_found");
    return c.json({ rules: policy.rules }, 200, etagOf(policy.revision));
  });

  app.openapi(replace, async (c) => {
    const { account } = c.var.principal;
    const { rules } = c.req.valid("json");
    const db = drizzle(c.env.DB);
    const saved = await savePolicy(db, account, rules, wantedRevision(c), authorOf(c));
    if (saved !== undefined) return c.json({ rules }, 200, etagOf(saved));
    return problem(c, (await findPolicy(db, account)) === undefined ? "account_not_found" : "precondition_failed");
  });

  app.openapi(decide, async (c) => {
    const { account } = c.var.principal;
    const { agent, to, capability } = c.req.valid("query");
    const names = to === undefined ? [agent] : [agent, to];
    const db = drizzle(c.env.DB);
    const known = await Promise.all(names.map((name) => agentExists(db, account, name)));
    const { rules, parties } = await findParties(db, account, names);
    if (known.includes(false)) return problem(c, "agent_not_found");
    return c.json(decisionOf(rules, questionsOf(parties, capability)), 200);
  });
}
