// Sessions, for the agents that take part in them: the list out of the index, one session and what it stored out of its object.
// Only redriving writes. A session that is not the agent's, or whose id is none, looks like one that does not exist.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { Context } from "hono";
import type { HistoryEntry } from "../../durable-objects/session-history.ts";
import { Uuid } from "../../protocol/wire/ids.ts";
import {
  DeadLetterPage,
  EnvelopesQuery,
  ListSessionsQuery,
  Redrive,
  Redriven,
  type Session,
  SessionEntry,
  SessionPage,
  type StoredEnvelope,
  Timeline,
} from "../../schema/http.ts";
import { listSessions, type SessionCursor } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { identified } from "../identity/middleware.ts";
import { sessionObject } from "../objects.ts";
import { issuesOf, problem } from "../problem.ts";
import { json, problems } from "./responses.ts";

const security = [{ clientCertificate: [] }];

const list = createRoute({
  method: "get",
  path: "/v1/sessions",
  description:
    "The sessions that the agent takes part in, newest first. An offer is listed once it was answered or has run out.",
  security,
  middleware: [identified] as const,
  request: { query: ListSessionsQuery },
  responses: { 200: json(SessionPage, "one page of sessions"), ...problems },
});

const timeline = createRoute({
  method: "get",
  path: "/v1/sessions/{session_id}/timeline",
  description:
    "What the session stored, of both directions, in the order in which it did; the oldest is forgotten as new work comes. A page may be shorter than `limit`: `next` says whether there is more.",
  security,
  middleware: [identified] as const,
  request: { params: z.object({ session_id: Uuid }), query: EnvelopesQuery },
  responses: { 200: json(Timeline, "one page of envelopes"), ...problems },
});

const deadLetters = createRoute({
  method: "get",
  path: "/v1/sessions/{session_id}/dead-letters",
  description:
    "What both sides of an ended session left undelivered: accepted, and never acknowledged by its receiver. Empty while the session lives.",
  security,
  middleware: [identified] as const,
  request: { params: z.object({ session_id: Uuid }), query: EnvelopesQuery },
  responses: { 200: json(DeadLetterPage, "one page of dead letters"), ...problems },
});

const redrive = createRoute({
  method: "post",
  path: "/v1/sessions/{session_id}/dead-letters/redrive",
  description:
    "Sends the agent's own dead letters again, into another active session between the same two agents, each exactly once. Safe to repeat.",
  security,
  middleware: [identified] as const,
  request: {
    params: z.object({ session_id: Uuid }),
    body: { required: true, content: { "application/json": { schema: Redrive } } },
  },
  responses: { 200: json(Redriven, "what was sent by this call, and what remains"), ...problems },
});

const time = (ms: number) => new Date(ms).toISOString();
const timeOrNull = (ms: number | null) => (ms === null ? null : time(ms));

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
  const { account, agent } = c.var.identity;
  if (!Uuid.safeParse(session_id).success) return problem(c, "session_unknown");
  const facts = await sessionObject(c.env, account, session_id).describe(agent);
  if (facts === undefined) return problem(c, "session_unknown");
  const { created_at, last_work_at, ended_at } = facts;
  const times = {
    created_at: time(created_at),
    last_work_at: timeOrNull(last_work_at),
    ended_at: timeOrNull(ended_at),
  };
  return c.json({ ...facts, ...times } satisfies z.infer<typeof Session>, 200);
}

/** An envelope as the API shows it. */
export function envelopeOf({ at, delivered, data, ...entry }: HistoryEntry): z.infer<typeof StoredEnvelope> {
  const payload = data === undefined ? {} : { data: JSON.parse(data) as unknown };
  return { ...entry, at: time(at), receipts: { stored: true, delivered }, ...payload };
}

function cursorOf(text: string | undefined): SessionCursor | undefined {
  if (text === undefined) return undefined;
  const [created_at = "", session_id = ""] = text.split(".");
  return { created_at: Number(created_at), session_id };
}

export function sessionRoutes(app: OpenAPIHono<App>): void {
  app.openapi(list, async (c) => {
    const { account, agent } = c.var.identity;
    const { state, limit, cursor } = c.req.valid("query");
    const page = await listSessions(drizzle(c.env.DB), account, agent, { state, limit, cursor: cursorOf(cursor) });
    const sessions = page.sessions.map(({ created_at, updated_at, ...session }) =>
      SessionEntry.parse({ ...session, created_at: time(created_at), updated_at: time(updated_at) }),
    );
    const next = page.next && `${page.next.created_at}.${page.next.session_id}`;
    return c.json({ sessions, ...(next !== undefined && { next }) }, 200);
  });

  app.openapi(
    timeline,
    async (c) => {
      const { account, agent } = c.var.identity;
      const { session_id } = c.req.valid("param");
      const { payloads, ...query } = c.req.valid("query");
      const session = sessionObject(c.env, account, session_id);
      const page = await session.timeline(agent, { ...query, payloads: payloads === "true" });
      if (page === undefined) return problem(c, "session_unknown");
      const { entries, ...more } = page;
      return c.json({ envelopes: entries.map(envelopeOf), ...more }, 200);
    },
    refuseSession,
  );

  app.openapi(
    deadLetters,
    async (c) => {
      const { account, agent } = c.var.identity;
      const { session_id } = c.req.valid("param");
      const { payloads, ...query } = c.req.valid("query");
      const session = sessionObject(c.env, account, session_id);
      const page = await session.deadLetters(agent, { ...query, payloads: payloads === "true" });
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
      const { account, agent } = c.var.identity;
      const { session_id } = c.req.valid("param");
      const { session_id: target } = c.req.valid("json");
      const answer = await sessionObject(c.env, account, session_id).redrive(agent, target);
      if (!("refused" in answer)) return c.json({ session_id: target, ...answer }, 200);
      const issues = [{ path: "session_id", message: "it is this one that the refusal is about" }];
      return problem(c, answer.refused, answer.of === "target" ? { issues } : {});
    },
    refuseSession,
  );
}
