// Sessions with whoever can do something: who is found, who is not, how many at once, and that equals get equal shares.
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import type { Said } from "../../wire/socket.ts";
import { Agent, everyWay, multiplexed, plain, uuid, type Way } from "./agents.ts";
import { Duo } from "./duo.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const seek = (capability: string, more: object = {}) => ({
  type: "SESSION_INIT",
  id: uuid(),
  session_id: uuid(),
  data: { capability },
  ...more,
});

/** Agents that announce one capability, each with its own bound. */
const able = (way: Way, name: string, ...bounds: (number | undefined)[]): Promise<Agent[]> =>
  Promise.all(bounds.map((most) => Agent.registered(way, "doer", [{ name, ...(most && { max_concurrency: most }) }])));

/** Which of them got the offer, when it has come. */
async function offeredTo(session_id: string, agents: Agent[]): Promise<Agent> {
  return Promise.race(
    agents.map(async (agent) => {
      await agent.connection
        .next("SESSION_INIT", (offer) => offer.session_id === session_id)
        .catch(() => new Promise(() => {}));
      return agent;
    }),
  );
}

/** Opens one and accepts it. */
async function opened(by: Agent, capability: string, agents: Agent[]): Promise<{ session_id: string; taker: Agent }> {
  const init = seek(capability);
  await by.tell(init);
  const taker = await offeredTo(init.session_id, agents);
  await taker.tell({ type: "SESSION_ACCEPT", id: uuid(), session_id: init.session_id });
  await by.connection.next("SESSION_ACCEPT", ({ session_id }) => session_id === init.session_id);
  return { session_id: init.session_id, taker };
}

const refusal = async (by: Agent, init: { id: string }): Promise<Said<"SESSION_REJECT">["data"]> =>
  (await by.connection.next("SESSION_REJECT", ({ in_reply_to }) => in_reply_to === init.id)).data;

everyWay(
  "[N15] a session with a capability finds an agent that announced it; SESSION_ACCEPT says who it is",
  async (way) => {
    const capability = `sum-${uuid()}`;
    const [doer] = (await able(way, capability, 3)) as [Agent];
    const seeker = await Agent.registered(way, "seeker", [{ name: capability }]);
    const duo = new Duo(seeker, doer);
    const init = seek(capability, { session_id: duo.session_id, data: { capability, metadata: "please" } });
    await seeker.tell(init);
    expect(await doer.connection.next("SESSION_INIT")).toMatchObject({
      id: init.id,
      from: seeker.name,
      to: doer.name,
      data: { capability, metadata: "please" },
    });
    await doer.tell(duo.of("SESSION_ACCEPT"));
    const accepted = await seeker.connection.next("SESSION_ACCEPT");
    expect([accepted.in_reply_to, accepted.data.peer]).toEqual([init.id, doer.name]);
    await doer.connection.next("SESSION_ACCEPT");
    await duo.expectAlive(1, 1);
  },
  multiplexed,
);

everyWay(
  "[N15] nobody else announced it: capability_unknown at once; nobody is there with room: capability_busy",
  async (way) => {
    const capability = `sum-${uuid()}`;
    const seeker = await Agent.registered(way, "seeker", [{ name: capability }]);
    const alone = seek(capability);
    await seeker.tell(alone, {
      type: "MESSAGE",
      id: uuid(),
      session_id: alone.session_id,
      seq: 1,
      data: { content: 1 },
    });
    expect(await refusal(seeker, alone)).toMatchObject({ reason: "capability_unknown", retryable: false });
    // What else came for it has no session to go to.
    expect((await seeker.connection.next("ERROR")).data.reason).toBe("session_unknown");

    const [doer] = (await able(way, capability, 1)) as [Agent];
    doer.connection.close();
    const away = seek(capability);
    await vi.waitFor(async () => {
      await seeker.tell(away);
      expect(await refusal(seeker, away)).toMatchObject({ reason: "capability_busy", retryable: true });
    });
    // Refused, it was never a session: asked again it may well be one.
    await doer.register([{ name: capability }]);
    await seeker.tell(away);
    await doer.connection.next("SESSION_INIT", ({ session_id }) => session_id === away.session_id);
    const nobody = { ...seek(capability), data: {} };
    await seeker.tell(nobody);
    expect((await seeker.errorAbout(nobody.id)).reason).toBe("invalid_envelope");
  },
  multiplexed,
);

everyWay(
  "[N15, R6] who has the most room is found first; nobody gets more than its max_concurrency, and what ends makes room",
  async (way) => {
    const capability = `sum-${uuid()}`;
    const doers = await able(way, capability, 3, 1);
    const seeker = await Agent.registered(way, "seeker");
    const takers: string[] = [];
    const sessions: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { taker, session_id } = await opened(seeker, capability, doers);
      takers.push(taker.name);
      sessions.push(session_id);
    }
    const [big, small] = doers.map(({ name }) => name);
    // 3:1, 2:1, then one each, and the one with fewer sessions is the small one.
    expect(takers).toEqual([big, big, small, big]);
    const beyond = seek(capability);
    await seeker.tell(beyond);
    expect((await refusal(seeker, beyond)).reason).toBe("capability_busy");
    // The same holds for one that is named.
    for (const [to, wanted, reason] of [
      [big, capability, "capability_busy"],
      [big, `no-${capability}`, "capability_unknown"],
    ] as const) {
      const named = seek(wanted, { to });
      await seeker.tell(named);
      expect((await refusal(seeker, named)).reason).toBe(reason);
    }
    // A session that is for nothing in particular needs no such room.
    const plainly = { ...seek(capability, { to: big }), data: {} };
    await seeker.tell(plainly);
    await doers[0]?.connection.next("SESSION_INIT", ({ session_id }) => session_id === plainly.session_id);

    const over = { type: "SESSION_CLOSE", id: uuid(), session_id: sessions[2], seq: 1, data: {} };
    await seeker.tell(over);
    await doers[1]?.connection.next("SESSION_CLOSE");
    await doers[1]?.tell({ type: "MESSAGE_ACK", session_id: over.session_id, ack: 1 });
    await seeker.connection.next("SESSION_CLOSED");
    await vi.waitFor(async () => {
      const again = seek(capability);
      await seeker.tell(again);
      const taker = await Promise.race([offeredTo(again.session_id, doers), refusal(seeker, again)]);
      expect(taker).toBe(doers[1]);
    });
  },
  multiplexed,
);

everyWay(
  "[N15] equal agents get equal shares of many sessions, those that last and those that come to nothing",
  async (way) => {
    const capability = `sum-${uuid()}`;
    const doers = await able(way, capability, undefined, undefined, undefined);
    const seeker = await Agent.registered(way, "seeker");
    for (const lasting of [false, true]) {
      const shares = new Map<string, number>();
      for (let i = 0; i < 15; i++) {
        const init = seek(capability);
        await seeker.tell(init);
        const taker = await offeredTo(init.session_id, doers);
        shares.set(taker.name, (shares.get(taker.name) ?? 0) + 1);
        const answer = lasting ? "SESSION_ACCEPT" : "SESSION_REJECT";
        await taker.tell({ type: answer, id: uuid(), session_id: init.session_id });
        await seeker.connection.next(answer, ({ session_id }) => session_id === init.session_id);
        // Its object learns of the end a little later; until then the agent has one session more than the others.
        if (!lasting) await new Duo(seeker, taker).fenceOf(init.session_id);
      }
      expect([...shares.values()]).toEqual([5, 5, 5]);
    }
  },
  multiplexed,
);

it("[N15] two that want the last place at once: each gets one of two, or one of them is told that there is none", async () => {
  for (const places of [2, 1]) {
    const capability = `sum-${uuid()}`;
    const doers = await able(plain, capability, ...Array.from({ length: places }, () => 1));
    const seekers = await Promise.all([0, 1].map(() => Agent.registered(plain, "seeker")));
    const inits = seekers.map(() => seek(capability));
    await Promise.all(seekers.map((seeker, i) => seeker.tell(inits[i] ?? {})));
    const ends = await Promise.all(
      inits.map((init, i) =>
        Promise.race([
          offeredTo(init.session_id, doers).then(({ name }) => name),
          refusal(seekers[i] as Agent, init).then(
            ({ reason }) => reason,
            () => new Promise<string>(() => {}),
          ),
        ]),
      ),
    );
    const names = doers.map(({ name }) => name);
    expect(ends.toSorted()).toEqual([...names, ...(places === 1 ? ["capability_busy"] : [])].toSorted());
  }
});

everyWay(
  "[N15, N3] asked again it is the same agent: while it is open, when it was accepted, and when it was rejected",
  async (way) => {
    const capability = `sum-${uuid()}`;
    // Three, so that a search made anew would find another one than the first did.
    const doers = await able(way, capability, undefined, undefined, undefined);
    const seeker = await Agent.registered(way, "seeker");
    const init = seek(capability);
    await seeker.tell(init);
    const taker = await offeredTo(init.session_id, doers);
    await seeker.tell(init);
    expect(await offeredTo(init.session_id, doers)).toBe(taker);
    await taker.tell({ type: "SESSION_ACCEPT", id: uuid(), session_id: init.session_id });
    await seeker.connection.next("SESSION_ACCEPT");
    await seeker.tell(init);
    expect((await seeker.connection.next("SESSION_ACCEPT")).data.peer).toBe(taker.name);

    const other = seek(capability);
    await seeker.tell(other);
    const second = await offeredTo(other.session_id, doers);
    expect(second).not.toBe(taker);
    await second.tell({ type: "SESSION_REJECT", id: uuid(), session_id: other.session_id });
    expect((await refusal(seeker, other)).reason).toBe("offer_rejected");
    await new Duo(seeker, second).fenceOf(other.session_id);
    await seeker.tell(other);
    expect((await refusal(seeker, other)).reason).toBe("offer_rejected");
  },
  multiplexed,
);

it("[N15] agents beyond a wave are found too, and the search costs three queries at most", async () => {
  const capability = `sum-${uuid()}`;
  const doers = await able(plain, capability, ...Array.from({ length: limits.candidatesAtOnce + 2 }, () => undefined));
  const last = doers.toSorted((a, b) => (a.name < b.name ? -1 : 1)).at(-1);
  for (const doer of doers) if (doer !== last) doer.connection.close();
  const seeker = await Agent.registered(plain, "seeker");
  const asked = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare");
  await vi.waitFor(async () => {
    const init = seek(capability);
    asked.mockClear();
    await seeker.tell(init);
    expect(await offeredTo(init.session_id, doers)).toBe(last);
    expect(asked.mock.calls.filter(([sql]) => String(sql).includes('"capabilities"')).length).toBeLessThanOrEqual(4);
  });
});

it("[A5] the registry fails while an agent is sought: relay_lost, and asked again it is found", async () => {
  const capability = `sum-${uuid()}`;
  const doers = await able(plain, capability, undefined);
  const seeker = await Agent.registered(plain, "seeker");
  const failed = vi.spyOn(console, "error").mockImplementation(() => {});
  const broken = vi.spyOn(Object.getPrototypeOf(env.DB), "prepare").mockImplementation(() => {
    throw new Error("D1 is away");
  });
  const init = seek(capability);
  await seeker.tell(init);
  expect((await seeker.connection.next("ERROR")).data.reason).toBe("relay_lost");
  expect(failed.mock.calls.join()).toContain("routing_failed");
  broken.mockRestore();
  await seeker.tell(init);
  expect(await offeredTo(init.session_id, doers)).toBe(doers[0]);
});
