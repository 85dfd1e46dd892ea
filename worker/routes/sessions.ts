// Sessions: the list out of the index, one session and what it stored out of its object. Agents see those that they take part in,
// everybody else those of the account. One that is not theirs, or whose id is none, looks like one that does not exist.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import type { HistoryEntry, SessionFacts } from "../../durable-objects/session-history.ts";
import { isUuid, Uuid } from "../../protocol/wire/ids.ts";
import {
  DeadLetterPage,
  EnvelopesQuery,
  ListSessionsQuery,
  Redrive,
  Redriven,
  Session,
  SessionEntry,
  SessionPage,
  type StoredEnvelope,
  Timeline,
} from "../../schema/http.ts";
import { listSessions, logDeed } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { authorOf } from "../identity/middleware.ts";
import type { Principal } from "../identity/principal.ts";
import { sessionObject } from "../objects.ts";
import { issuesOf, problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { readTimeCursor, time, timeOrNull } from "./times.ts";

const list = guardedRoute({
  method: "get",
  path: "/v1/sessions",
  description:
    "The sessions of the account, or those that the agent takes part in; newest first. An offer is listed once it was answered or has run out.",
  access: { permission: "sessions:read", agents: true },
  request: { query: ListSessionsQuery },
  responses: { 200: json(SessionPage, "one page of sessions") },
});

const timeline = guardedRoute({
  method: "get",
  path: "/v1/sessions/{session_id}/timeline",
  description:
    "What the session stored, of both directions, in the order in which it did; the oldest is forgotten as new work comes. A page may be shorter than `limit`: `next` says whether there is more.",
  access: { permission: "sessions:read", agents: true },
  request: { params: z.object({ session_id: Uuid }), query: EnvelopesQuery },
  refuses: ["session_unknown"],
  responses: { 200: json(Timeline, "one page of envelopes") },
});

const deadLetters = guardedRoute({
  method: "get",
  path: "/v1/sessions/{session_id}/dead-letters",
  description:
    "What both sides of an ended session left undelivered: accepted, and never acknowledged by its receiver. Empty while the session lives.",
  access: { permission: "sessions:read", agents: true },
  request: { params: z.object({ session_id: Uuid }), query: EnvelopesQuery },
  refuses: ["session_unknown"],
  responses: { 200: json(DeadLetterPage, "one page of dead letters") },
});

const redrive = guardedRoute({
  method: "post",
  path: "/v1/sessions/{session_id}/dead-letters/redrive",
  description:
    "Sends dead letters again, into another active session between the same two agents, each exactly once: an agent its own, everybody else those of both sides. Safe to repeat.",
  access: { permission: "sessions:write", agents: true },
  request: {
    params: z.object({ session_id: Uuid }),
    body: body(Redrive),
  },
  refuses: [
    "session_unknown",
    "session_damaged",
    "session_not_ended",
    "session_not_active",
    "session_closed",
    "redrive_mismatch",
    "redrive_conflict",
  ],
  responses: { 200: json(Redriven, "what was sent by this call, and what remains") },
});

const close = guardedRoute({
  method: "post",
  path: "/v1/sessions/{session_id}/close",
  description:
    "Ends a session at once, whatever is under way: both sides are told, and what was not delivered is dead letters. Safe to repeat.",
  access: { permission: "sessions:write" },
  request: { params: z.object({ session_id: Uuid }) },
  refuses: ["session_unknown"],
  responses: { 200: json(Session, "the session, ended") },
});

/** Whose part in sessions is shown: an agent's own; to everybody else, all. */
const onlyOf = (principal: Principal) => (principal.kind === "agent" ? principal.agent : undefined);

/** A malformed session_id is no `400` but a session that does not exist, like every other that is not this agent's. */
export function refuseSession(
  result: { success: true } | { success: false; target: string; error: z.ZodError },
  c: Context<App>,
) {
  if (result.success) return undefined;
  return result.target === "param"
    ? problem(c, "session_unknown")
    : problem(c, "invalid_request", { issues: issuesOf(result.error) });
}

/** One session, as its object knows it. */
export async function showSession(c: Context<App>, session_id: string) {
  const { principal } = c.var;
  if (!isUuid(session_id)) return problem(c, "session_unknown");
  const facts = await sessionObject(c.env, principal.account, session_id).describe(onlyOf(principal));
  return facts === undefined ? problem(c, "session_unknown") : c.json(shown(facts), 200);
}

function shown({ created_at, last_work_at, ended_at, ...facts }: SessionFacts): z.infer<typeof Session> {
  return {
    ...facts,
    created_at: time(created_at),
    last_work_at: timeOrNull(last_work_at),
    ended_at: timeOrNull(ended_at),
  };
}

/** An envelope as the API shows it. */
export function envelopeOf({ at, delivered, data, ...entry }: HistoryEntry): z.infer<typeof StoredEnvelope> {
  const payload = data === undefined ? {} : { data: JSON.parse(data) as unknown };
  return { ...entry, at: time(at), receipts: { stored: true, delivered }, ...payload };
}

/** Where a session was just ended, D1 hears of it a moment later. */
async function endSession(c: Context<App>, account: string, session_id: string) {
  const session = sessionObject(c.env, account, session_id);
  const before = await session.describe();
  if (before === undefined) return undefined;
  const after = await session.end();
  if (before.ended_at === null) {
    await logDeed(drizzle(c.env.DB), authorOf(c), { account, action: "session.close", target: session_id });
  }
  return after;
}

/** Redrives what each of those agents sent, one after the other: what one has sent stays sent where the other is refused. */
async function redriveAll(c: Context<App>, account: string, source: string, agents: readonly string[], target: string) {
  const sum = { redriven: 0, skipped: 0, remaining: 0 };
  for (const agent of agents) {
    const answer = await sessionObject(c.env, account, source).redrive(agent, target);
    if ("refused" in answer) return answer;
    sum.redriven += answer.redriven;
    sum.skipped += answer.skipped;
    sum.remaining += answer.remaining;
  }
  return sum;
}

export function sessionRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const { principal } = c.var;
    const { state, limit, cursor } = c.req.valid("query");
    const place = readTimeCursor(cursor);
    const page = await listSessions(drizzle(c.env.DB), principal.account, onlyOf(principal), {
      state,
      limit,
      cursor: place && { created_at: place.at, session_id: place.id },
    });
    const sessions = page.sessions.map(({ created_at, updated_at, ...session }) =>
      SessionEntry.parse({ ...session, created_at: time(created_at), updated_at: time(updated_at) }),
    );
    const next = page.next && `${page.next.created_at}.${page.next.session_id}`;
    return c.json({ sessions, ...(next !== undefined && { next }) }, 200);
  });

  app.openapi(
    timeline,
    async (c) => {
      const { principal } = c.var;
      const { session_id } = c.req.valid("param");
      const { payloads, ...query } = c.req.valid("query");
      const session = sessionObject(c.env, principal.account, session_id);
      const page = await session.timeline({ ...query, payloads: payloads === "true" }, onlyOf(principal));
      if (page === undefined) return problem(c, "session_unknown");
      const { entries, ...more } = page;
      return c.json({ envelopes: entries.map(envelopeOf), ...more }, 200);
    },
    refuseSession,
  );

  app.openapi(
    deadLetters,
    async (c) => {
      const { principal } = c.var;
      const { session_id } = c.req.valid("param");
      const { payloads, ...query } = c.req.valid("query");
      const session = sessionObject(c.env, principal.account, session_id);
      const page = await session.deadLetters({ ...query, payloads: payloads === "true" }, onlyOf(principal));
      if (page === undefined) return problem(c, "session_unknown");
      const { letters, ...more } = page;
      const dead_letters = letters.map(({ reason, redrivable, redriven_to, ...entry }) => ({
        ...envelopeOf(entry),
        reason,
        redrivable,
        redriven_to,
      }));
      return c.json({ dead_letters, ...more }, 200);
    },
    refuseSession,
  );

  app.openapi(
    redrive,
    async (c) => {
      const { principal } = c.var;
      const { session_id } = c.req.valid("param");
      const { session_id: target } = c.req.valid("json");
      const facts = await sessionObject(c.env, principal.account, session_id).describe(onlyOf(principal));
      if (facts === undefined) return problem(c, "session_unknown");
      const senders = principal.kind === "agent" ? [principal.agent] : [facts.initiator, facts.responder];
      const answer = await redriveAll(c, principal.account, session_id, senders, target);
      if (!("refused" in answer)) return c.json({ session_id: target, ...answer }, 200);
      const issues = [{ path: "session_id", message: "it is this one that the refusal is about" }];
      return problem(c, answer.refused, answer.of === "target" ? { issues } : {});
    },
    refuseSession,
  );

  app.openapi(
    close,
    async (c) => {
      const facts = await endSession(c, c.var.principal.account, c.req.valid("param").session_id);
      return facts === undefined ? problem(c, "session_unknown") : c.json(shown(facts), 200);
    },
    refuseSession,
  );
}
