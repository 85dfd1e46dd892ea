// The shapes of accounts, agents, capabilities and policies as the control plane has them over HTTP. No behaviour here.
import { z } from "zod";
import { ListedAgent } from "../protocol/wire/envelope.ts";
import { AgentId, CapabilityName } from "../protocol/wire/ids.ts";
import { bounds } from "./bounds.ts";
import { AccountId, limitOf, Time } from "./http.ts";
import { Name } from "./http-api-keys.ts";
import { Rule, Rules, Tag } from "./policy.ts";
import { standings } from "./tables.ts";

export const Account = z
  .object({ account: AccountId, name: z.string(), status: z.enum(standings), created_at: Time })
  .meta({ id: "Account" });

export const CreateAccount = z
  .strictObject({
    account: AccountId.optional().describe("the operator's choice; left out, and for people, it is made of dice"),
    name: Name.optional().describe("left out: the same as `account`"),
  })
  .meta({ id: "CreateAccount" });

export const ChangeAccount = z
  .strictObject({
    name: Name.optional(),
    status: z.enum(standings).optional().describe("the operator's alone; `suspended` closes every live socket (4403)"),
  })
  .refine((change) => Object.keys(change).length > 0, "say what to change")
  .meta({ id: "ChangeAccount" });

const Tags = z
  .array(Tag)
  .max(bounds.tagsMax)
  .transform((tags) => [...new Set(tags)].sort())
  .describe("marks that the policy's rules go by");

export const CreateAgent = z.strictObject({ agent_id: AgentId, tags: Tags.default([]) }).meta({ id: "CreateAgent" });

export const ChangeAgent = z
  .strictObject({ status: z.enum(standings).optional(), tags: Tags.optional() })
  .refine((change) => Object.keys(change).length > 0, "say what to change")
  .meta({ id: "ChangeAgent" });

export const Agent = ListedAgent.extend({
  status: z.enum(standings),
  tags: z.array(z.string()),
  created_at: Time,
  last_connected_at: Time.nullable(),
}).meta({ id: "Agent" });

export const AgentPage = z.object({ agents: z.array(Agent), next: AgentId.optional() }).meta({ id: "AgentPage" });

export const ChangedAgent = z
  .object({
    account: AccountId,
    agent_id: AgentId,
    status: z.enum(standings),
    tags: z.array(z.string()),
    closed: z.int().describe("live sockets that were closed"),
  })
  .meta({ id: "ChangedAgent" });

export const DeletedAgent = z
  .object({
    account: AccountId,
    agent_id: AgentId,
    status: z.literal("deleted"),
    closed: z.int().describe("live sockets that were closed"),
  })
  .meta({ id: "DeletedAgent" });

export const ListCapabilitiesQuery = z.object({
  limit: limitOf(bounds.capabilitiesPageMax, bounds.capabilitiesPageDefault),
  cursor: CapabilityName.optional().describe("`next` of the page before"),
});

export const CapabilityPage = z
  .object({
    capabilities: z.array(
      z
        .object({
          name: CapabilityName,
          agents: z.int().describe("how many active agents announced it; GET /v1/agents?capability= says who"),
          versions: z.array(z.string()),
        })
        .meta({ id: "CapabilityEntry" }),
    ),
    next: CapabilityName.optional(),
  })
  .meta({ id: "CapabilityPage" });

export const Policy = z.strictObject({ rules: Rules }).meta({ id: "Policy" });

export const PolicyDecisionQuery = z
  .object({
    agent: AgentId.describe("who opens a session, or offers a capability"),
    to: AgentId.optional().describe("with whom it opens one"),
    capability: CapabilityName.optional().describe("what it offers; with `to`: by what that one was found"),
  })
  .refine(
    ({ to, capability }) => to !== undefined || capability !== undefined,
    "ask for `to`, for `capability`, or both",
  );

export const PolicyDecision = z
  .object({
    allowed: z.boolean(),
    rule: Rule.nullable().describe("the first that fits; null: none does, and so it is allowed"),
    place: z.int().nullable().describe("its place among the rules, from 0"),
  })
  .meta({ id: "PolicyDecision" });
