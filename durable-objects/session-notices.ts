// What a session tells others: its offer to the responder's agent, its state to D1 and to both agents' lists.
import { drizzle } from "drizzle-orm/d1";
import type { Offer, SessionRecord, UsageReport } from "../protocol/session/effects.ts";
import { isLive } from "../protocol/session/states.ts";
import { otherSide } from "../protocol/session/tasks.ts";
import type { ErrorReason } from "../protocol/wire/errors.ts";
import { judgePolicy } from "../schema/policy.ts";
import { agentExists, type Database, findParties, removeSession, saveSession } from "../schema/registry.ts";
import type { ObjectEnv } from "./env.ts";

/**
 * Makes the offer, where the account's policy allows it. One query, and another where the agent was never connected. Where the
 * policy cannot be asked, no offer is made.
 * @returns why the offer failed; undefined: it was taken. An object that cannot be asked is one that nobody is connected to.
 */
export async function makeOffer(
  env: ObjectEnv,
  account: string,
  from: string,
  to: string,
  { session_id, line, until, waits, capability }: Offer,
): Promise<ErrorReason | undefined> {
  const offer: Offer = { session_id, line, until, waits, ...(capability && { capability }) };
  const agent = env.AGENTS.getByName(`${account}/${to}`);
  try {
    if (!(await isAllowed(drizzle(env.DB), account, from, to, capability))) return "policy_denied";
    const refusal = await agent.offer(offer, false);
    if (refusal !== "agent_unknown") return refusal;
    if (!(await agentExists(drizzle(env.DB), account, to))) return "agent_unknown";
    return await agent.offer(offer, true);
  } catch (cause) {
    console.warn(JSON.stringify({ event: "offer_failed", account, session_id, cause: String(cause) }));
    return "agent_offline";
  }
}

async function isAllowed(
  db: Database,
  account: string,
  initiator: string,
  responder: string,
  capability: string | undefined,
): Promise<boolean> {
  const { rules, parties } = await findParties(db, account, [initiator, responder]);
  const [from, to] = parties;
  if (rules.length === 0 || from === undefined || to === undefined) return true;
  if (!judgePolicy(rules, { action: "open", from, to })) return false;
  return capability === undefined || judgePolicy(rules, { action: "offer", agent: to, capability });
}

/** D1's session index and both agents' lists. Answers whether all of them know: what fails is repeated by the index timer. */
export async function tellState(
  env: ObjectEnv,
  account: string,
  { session_id, agents, state, ended, created_at, capability }: SessionRecord,
  usage: UsageReport,
): Promise<boolean> {
  const [initiator, responder] = agents;
  const row = { account, id: session_id, initiator, responder, state, createdAt: created_at, at: Date.now(), usage };
  const listed = ([0, 1] as const).map((side) =>
    env.AGENTS.getByName(`${account}/${agents[side]}`).sessionChanged({
      account,
      session_id,
      peer: agents[otherSide(side)],
      live: isLive(state),
      ...(side === 1 && capability !== undefined && { capability }),
    }),
  );
  try {
    await Promise.all([saveSession(drizzle(env.DB), { ...row, reason: ended?.reason }), ...listed]);
    return true;
  } catch (cause) {
    console.warn(JSON.stringify({ event: "index_failed", session_id, state, created_at, cause: String(cause) }));
    return false;
  }
}

/** Takes a session that is to be forgotten out of D1's index; the agents' lists lost it when it ended. Answers whether it did. */
export async function tellForgotten(env: ObjectEnv, account: string, session_id: string): Promise<boolean> {
  try {
    await removeSession(drizzle(env.DB), account, session_id);
    return true;
  } catch (cause) {
    console.warn(JSON.stringify({ event: "forget_failed", session_id, cause: String(cause) }));
    return false;
  }
}
