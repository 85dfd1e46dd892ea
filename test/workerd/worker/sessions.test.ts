// GET /v1/sessions and GET /v1/sessions/{session_id}: whose sessions they are, in which order, and as exact as they claim to be.
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { Session, SessionPage } from "../../../schema/http.ts";
import { saveSession } from "../../../schema/registry.ts";
import { everyWay, plain } from "../objects/agents.ts";
import { Duo } from "../objects/duo.ts";
import { administer, ask, db, newAgent, tlsOf } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

describe("GET /v1/sessions", () => {
  const account = "sessions";
  const at = Date.UTC(2026, 0, 1);
  const idOf = (n: number) => `0190b3c4-1234-7abc-8def-${String(n).padStart(12, "0")}`;
  let fingerprint: string;

  beforeAll(async () => {
    fingerprint = (await newAgent("me", account)).fingerprint;
    const save = (n: number, initiator: string, responder: string, state: string, more = {}) =>
      saveSession(db, {
        account,
        id: idOf(n),
        initiator,
        responder,
        state,
        createdAt: at + n,
        at: at + 100 - n,
        ...more,
      });
    await save(1, "me", "a", "closed", { reason: "closed" });
    await save(2, "b", "me", "active");
    await save(3, "a", "b", "active");
    await save(4, "me", "b", "active", { createdAt: at + 2 });
    await save(5, "a", "me", "rejected", { reason: "offer_rejected" });
    await save(6, "me", "a", "active", { account: "elsewhere" });
  });

  async function list(query = ""): Promise<z.infer<typeof SessionPage>> {
    const response = await ask(`/v1/sessions${query}`, tlsOf(fingerprint));
    expect(response.status).toBe(200);
    return SessionPage.strict().parse(await response.json());
  }
  const numbersOf = ({ sessions }: { sessions: { session_id: string }[] }) =>
    sessions.map(({ session_id }) => Number(session_id.slice(-12)));

  it("lists those that the agent offered and those that it was offered, newest first, in one query", async () => {
    const prepare = vi.spyOn(env.DB, "prepare");
    const page = await list();
    // The identity of the certificate is the other one.
    expect(prepare).toHaveBeenCalledTimes(2);
    prepare.mockRestore();
    expect(numbersOf(page)).toEqual([5, 4, 2, 1]);
    expect(page.next).toBeUndefined();
    expect(page.sessions[0]).toEqual({
      session_id: idOf(5),
      state: "rejected",
      initiator: "a",
      responder: "me",
      reason: "offer_rejected",
      created_at: "2026-01-01T00:00:00.005Z",
      updated_at: "2026-01-01T00:00:00.095Z",
    });
  });

  it("goes on from page to page, also between two of the same moment, and by state", async () => {
    const pages = [await list("?limit=2")];
    for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next) {
      pages.push(await list(`?limit=1&cursor=${next}`));
    }
    expect(pages.map(numbersOf)).toEqual([[5, 4], [2], [1]]);
    expect(numbersOf(await list("?state=active"))).toEqual([4, 2]);
    const [first] = [await list("?state=active&limit=1")];
    expect(numbersOf(await list(`?state=active&limit=1&cursor=${first?.next}`))).toEqual([2]);
    expect(numbersOf(await list("?state=expired"))).toEqual([]);
  });

  it("finds its page by the indexes, without sorting an agent's sessions", async () => {
    const plan = await env.DB.prepare(
      "EXPLAIN QUERY PLAN SELECT id FROM sessions WHERE account_id = 'x' AND responder = 'y' AND (created_at, id) < (1, 'z') ORDER BY created_at DESC, id DESC LIMIT 2",
    ).all<{ detail: string }>();
    const details = plan.results.map(({ detail }) => detail).join("\n");
    expect(details).toContain("sessions_by_responder (account_id=? AND responder=? AND (created_at,id)<(?,?))");
    expect(details).not.toContain("TEMP B-TREE");
  });

  it.each(["limit=0", "limit=101", "state=gone", "cursor=x", "cursor=1.x"])(
    "refuses ?%s and says where",
    async (query) => {
      const problem = await expectProblem(await ask(`/v1/sessions?${query}`, tlsOf(fingerprint)), "invalid_request");
      expect(problem.issues?.map(({ path }) => path)).toEqual([query.split("=")[0]]);
    },
  );

  it("shows a key all of its account, newest first, from page to page, in one query", async () => {
    const all = async (query: string) => {
      const response = await administer("GET", `/v1/sessions?account=${account}${query}`);
      return SessionPage.strict().parse(await response.json());
    };
    const prepare = vi.spyOn(env.DB, "prepare");
    expect(numbersOf(await all(""))).toEqual([5, 3, 4, 2, 1]);
    expect(prepare).toHaveBeenCalledTimes(1);
    prepare.mockRestore();
    const first = await all("&limit=3");
    const second = await all(`&limit=3&cursor=${first.next}`);
    expect([...numbersOf(first), ...numbersOf(second)]).toEqual(numbersOf(await all("")));
    expect(numbersOf(await all("&state=rejected"))).toEqual([5]);
  });
});

describe("GET /v1/sessions/{session_id}", () => {
  everyWay("says how the session stands, to either side, and to nobody else", async (way) => {
    const duo = await Duo.open(way);
    const { a, b } = duo;
    const path = `/v1/sessions/${duo.session_id}`;
    const shown = async (agent = a) => {
      await agent.forget();
      const response = await ask(path, agent.tls);
      expect(response.status).toBe(200);
      return Session.strict().parse(await response.json());
    };
    await a.say(...duo.messages(1, 3));
    await b.socket.contents(3);
    await b.say(duo.ack(2));
    await a.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === 2);
    const session = await shown();
    const exact = { initiator: a.name, responder: b.name, reason: null, message: null, ended_at: null };
    expect(session).toMatchObject({ session_id: duo.session_id, state: "active", ...exact });
    expect(Date.parse(session.last_work_at ?? "")).toBeGreaterThanOrEqual(Date.parse(session.created_at));
    // The receipt of the second waits in memory for company: where that was lost, it is the receiver's word that is missing.
    const delivered = way.evicts ? 0 : 2;
    expect(session.streams[0]).toMatchObject({
      from: a.name,
      attached: true,
      accepted: 3,
      delivered,
      waiting: 3 - delivered,
    });
    expect(session.streams[1]).toEqual({
      from: b.name,
      attached: true,
      accepted: 0,
      delivered: 0,
      waiting: 0,
      waiting_bytes: 0,
    });
    expect(await shown(b)).toEqual(session);

    await a.say(duo.close(4));
    await b.socket.next("SESSION_CLOSE");
    await b.say(duo.ack(4));
    await a.socket.next("SESSION_CLOSED");
    const closed = await shown();
    expect(closed).toMatchObject({ state: "closed", reason: "closed" });
    expect(Date.parse(closed.ended_at ?? "")).toBeGreaterThanOrEqual(Date.parse(session.created_at));
    expect(closed.streams[0]).toMatchObject({ accepted: 4, delivered: 4, waiting: 0 });

    const stranger = await newAgent(`stranger-of-${duo.session_id}`);
    const elsewhere = await newAgent(a.name, "elsewhere");
    for (const { fingerprint } of [stranger, elsewhere]) {
      await expectProblem(await ask(path, tlsOf(fingerprint)), "session_unknown");
    }
  });

  it("shows an offer, and a rejection with its words", async () => {
    const duo = await Duo.met({ name: "multiplexed", direct: false, evicts: false });
    const path = `/v1/sessions/${duo.session_id}`;
    await duo.a.tell(duo.init());
    await duo.b.connection.next("SESSION_INIT");
    expect(await (await ask(path, duo.b.tls)).json()).toMatchObject({ state: "pending", last_work_at: null });
    await duo.b.tell(duo.of("SESSION_REJECT", { data: { message: "not today" } }));
    await duo.a.connection.next("SESSION_REJECT");
    const rejected = await (await ask(path, duo.a.tls)).json();
    expect(rejected).toMatchObject({ state: "rejected", reason: "offer_rejected", message: "not today" });
  });

  it("answers for an id that is none as for a session that is not there", async () => {
    const { fingerprint } = await newAgent("asker");
    for (const id of [crypto.randomUUID(), "not-a-uuid", "0190B3C4-1234-7ABC-8DEF-0123456789AB"]) {
      for (const path of [`/v1/sessions/${id}`, `/v1/sessions/${id}/timeline`]) {
        await expectProblem(await ask(path, tlsOf(fingerprint)), "session_unknown");
      }
    }
    await expectProblem(await ask("/v1/sessions/not-a-uuid", undefined), "credentials_required");
  });

  it("shows a key what it shows both agents: the session, its timeline, its dead letters", async () => {
    const duo = await Duo.open(plain);
    await duo.a.say(duo.message(1, "for the record"));
    await duo.a.socket.next("MESSAGE_ACK");
    const path = `/v1/sessions/${duo.session_id}`;
    for (const part of ["", "/timeline?payloads=true", "/dead-letters"]) {
      const byAgent = await ask(`${path}${part}`, duo.a.tls);
      const byKey = await administer("GET", `${path}${part}`);
      expect([part, await byKey.json()]).toEqual([part, await byAgent.json()]);
    }
    await expectProblem(await administer("GET", `${path}?account=nowhere`), "session_unknown");
  });
});

describe("POST /v1/sessions/{session_id}/close", () => {
  const close = (session_id: string, token?: string) =>
    administer("POST", `/v1/sessions/${session_id}/close`, undefined, token);

  everyWay(
    "[N17] ends a session at once: both sides are told, and what was undelivered is dead letters",
    async (way) => {
      const duo = await Duo.open(way);
      await duo.a.say(duo.message(1, "too late"));
      await duo.b.socket.next("MESSAGE");
      const response = await close(duo.session_id);
      expect(response.status).toBe(200);
      const closed = Session.strict().parse(await response.json());
      expect(closed).toMatchObject({ state: "closed", reason: "closed", streams: [{ waiting: 1 }, { waiting: 0 }] });
      for (const agent of [duo.a, duo.b]) {
        expect((await agent.socket.next("SESSION_CLOSED")).data).toMatchObject({ state: "closed" });
      }
      const late = duo.message(1);
      await duo.b.say(late);
      expect((await duo.b.errorAbout(late.id)).reason).toBe("session_closed");
      const { dead_letters } = await (await administer("GET", `/v1/sessions/${duo.session_id}/dead-letters`)).json<{
        dead_letters: object[];
      }>();
      expect(dead_letters).toMatchObject([{ reason: "session_closed", redrivable: true }]);
      // Again: nothing happens, and nothing is logged.
      expect(await (await close(duo.session_id)).json()).toEqual(closed);
      const { entries } = await (await administer("GET", "/v1/audit-log")).json<{
        entries: { action: string; target: string }[];
      }>();
      expect(entries.filter(({ target }) => target === duo.session_id).map(({ action }) => action)).toEqual([
        "session.close",
      ]);
      expect((await duo.indexed("closed"))?.reason).toBe("closed");
    },
  );

  it("[N17] takes a pending offer back", async () => {
    const duo = await Duo.met(plain);
    await duo.a.tell(duo.init());
    await duo.b.connection.next("SESSION_INIT");
    const response = await close(duo.session_id);
    expect(await response.json()).toMatchObject({ state: "rejected", reason: "session_closed" });
    expect((await duo.a.connection.next("SESSION_REJECT")).data).toMatchObject({ reason: "session_closed" });
    await duo.b.tell(duo.of("SESSION_ACCEPT"));
    expect((await duo.b.connection.next("ERROR")).data).toMatchObject({ reason: "session_closed" });
  });

  it("sends the dead letters of both sides on, when a key redrives", async () => {
    const old = await Duo.open(plain);
    await old.a.tell(old.message(1, "of a"));
    await old.b.tell(old.message(1, "of b"));
    await vi.waitFor(async () => {
      const { streams } = Session.parse(await (await administer("GET", `/v1/sessions/${old.session_id}`)).json());
      expect(streams.map(({ waiting }) => waiting)).toEqual([1, 1]);
    });
    await close(old.session_id);
    const next = new Duo(old.a, old.b);
    await next.begin();
    const redrive = () =>
      administer("POST", `/v1/sessions/${old.session_id}/dead-letters/redrive`, { session_id: next.session_id });
    const sum = { session_id: next.session_id, skipped: 0, remaining: 0 };
    expect(await (await redrive()).json()).toEqual({ ...sum, redriven: 2 });
    expect(await (await redrive()).json()).toEqual({ ...sum, redriven: 0 });
    const mine = ({ session_id }: { session_id: string }) => session_id === next.session_id;
    expect((await next.b.connection.next("MESSAGE", mine)).data.content).toBe("of a");
    expect((await next.a.connection.next("MESSAGE", mine)).data.content).toBe("of b");
  });
});
