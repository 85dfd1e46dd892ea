// Two agents in one session, on the way that a scenario runs; envelopes of that session; and a look into its object.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import type { SessionObject } from "../../../durable-objects/session-object.ts";
import type { SessionRecord } from "../../../protocol/session/effects.ts";
import type { Capability } from "../../../protocol/wire/envelope.ts";
import type { Said, Socket } from "../../wire/socket.ts";
import { Agent, uuid, type Way } from "./agents.ts";

export class Duo {
  readonly a: Agent;
  readonly b: Agent;
  readonly session_id = uuid();
  epoch = "";

  constructor(a: Agent, b: Agent) {
    this.a = a;
    this.b = b;
  }

  /** Both registered; no session yet. */
  static async met(way: Way, offered: { a?: Capability[]; b?: Capability[] } = {}): Promise<Duo> {
    const a = await Agent.registered(way, "planner", offered.a);
    return new Duo(a, await Agent.registered(way, "analyst", offered.b));
  }

  /** In an accepted session, both attached on the way's path. */
  static async open(way: Way): Promise<Duo> {
    const duo = await Duo.met(way);
    await duo.begin();
    if (way.direct) for (const agent of [duo.a, duo.b]) await duo.goDirect(agent);
    return duo;
  }

  /** INIT and ACCEPT, over the connections. */
  async begin(): Promise<void> {
    await this.a.tell(this.init());
    await this.b.connection.next("SESSION_INIT", ({ session_id }) => session_id === this.session_id);
    await this.b.tell(this.of("SESSION_ACCEPT"));
    const mine = ({ session_id }: { session_id: string }) => session_id === this.session_id;
    const accepted = await this.a.connection.next("SESSION_ACCEPT", mine);
    await this.b.connection.next("SESSION_ACCEPT", mine);
    this.epoch = accepted.data.epoch;
  }

  /** A direct socket for that agent; its work goes there from now on. */
  async goDirect(agent: Agent, received = 0, next = 1): Promise<Said<"SESSION_RESUMED">> {
    agent.direct = await agent.dial(`/v1/sessions/${this.session_id}`);
    return this.attach(agent, received, next);
  }

  /** SESSION_RESUME where the agent's work goes. `next`: the first `seq` it has not sent yet; it can send from 1 again. */
  async attach(agent: Agent, received = 0, next = 1, first = 1): Promise<Said<"SESSION_RESUMED">> {
    await agent.say(this.resume(received, next, first));
    return agent.socket.next("SESSION_RESUMED");
  }

  /** The agent's sockets are gone; it connects and attaches again, on its own path. */
  async comeBack(agent: Agent, received: number, next: number): Promise<Said<"SESSION_RESUMED">> {
    await agent.register();
    return agent.way.direct ? this.goDirect(agent, received, next) : this.attach(agent, received, next);
  }

  // --- envelopes

  of(type: string, more: object = {}): { type: string; id: string; session_id: string } {
    return { type, id: uuid(), session_id: this.session_id, ...more };
  }

  init(more: object = {}) {
    return this.of("SESSION_INIT", { to: this.b.name, ...more });
  }

  resume(received: number, next: number, first = 1, epoch = this.epoch) {
    return this.of("SESSION_RESUME", { data: { epoch, received, first, next } });
  }

  message(seq: number, content: unknown = seq) {
    return this.of("MESSAGE", { seq, data: { content } });
  }

  /** MESSAGEs first … last, each with its `seq` for content. */
  messages(first: number, last: number) {
    return Array.from({ length: last - first + 1 }, (_, i) => this.message(first + i));
  }

  ack(ack: number) {
    return { type: "MESSAGE_ACK", session_id: this.session_id, ack };
  }

  task(type: "REQUEST" | "PROGRESS" | "RESPONSE" | "CANCEL", seq: number, task_id: string, data: object = {}) {
    const request = type === "REQUEST" ? { capability: "analyze", input: { of: task_id } } : {};
    return this.of(`TASK_${type}`, { seq, data: { task_id, ...request, ...data } });
  }

  close(seq: number, reason?: string) {
    return this.of("SESSION_CLOSE", { seq, data: reason === undefined ? {} : { reason } });
  }

  // --- what both sides can see

  /**
   * A question that changes nothing and whose answer comes after all that the agent was owed before: so that "nothing came"
   * can be said without waiting for time to pass.
   */
  async fence(agent: Agent, over: Socket = agent.socket): Promise<void> {
    const question = { ...this.ack(Number.MAX_SAFE_INTEGER), id: uuid() };
    await agent.forget();
    over.say(question);
    await over.next("ERROR", ({ in_reply_to }) => in_reply_to === question.id);
  }

  /** Whether work still flows both ways: one message each. Leaves everything acknowledged. */
  async expectAlive(seqOfA: number, seqOfB: number, gotByA = seqOfB, gotByB = seqOfA): Promise<void> {
    const content = uuid();
    await this.a.say(this.message(seqOfA, content));
    expect((await this.b.socket.next("MESSAGE", ({ data }) => data.content === content)).seq).toBe(gotByB);
    await this.b.say(this.message(seqOfB, content), this.ack(gotByB));
    expect((await this.a.socket.next("MESSAGE", ({ data }) => data.content === content)).seq).toBe(gotByA);
    await this.a.say(this.ack(gotByA));
    await this.b.socket.next("MESSAGE_ACK", ({ data }) => data?.delivered === seqOfB);
  }

  // --- inside

  get object(): DurableObjectStub<SessionObject> {
    return env.SESSIONS.getByName(`local/${this.session_id}`);
  }

  /** Rows of the ring, both directions. */
  async ringRows(): Promise<number> {
    return runInDurableObject(
      this.object,
      (_, { storage }) => storage.sql.exec<{ rows: number }>("SELECT count(*) AS rows FROM ring").one().rows,
    );
  }

  /** Each task by its id. */
  async taskStates(): Promise<Record<string, string>> {
    const query = "SELECT task_id, state FROM tasks";
    return runInDurableObject(this.object, (_, { storage }) =>
      Object.fromEntries(
        storage.sql
          .exec<{ task_id: string; state: string }>(query)
          .toArray()
          .map(({ task_id, state }) => [task_id, state]),
      ),
    );
  }

  /** The record of the session, as it is stored. */
  async record(): Promise<SessionRecord> {
    return runInDurableObject(this.object, (_, { storage }) =>
      JSON.parse(storage.sql.exec<{ record: string }>("SELECT record FROM session").one().record),
    );
  }

  /** Until both agents' lists know how a session stands that was opened beside this one. */
  async fenceOf(session_id: string): Promise<void> {
    const object = env.SESSIONS.getByName(`local/${session_id}`);
    await vi.waitFor(() =>
      runInDurableObject(object, (_, { storage }) => {
        const { record } = storage.sql.exec<{ record: string }>("SELECT record FROM session").one();
        expect((JSON.parse(record) as SessionRecord).timers.index).toBeUndefined();
      }),
    );
  }

  /** D1's row of the session, once D1 and both agents know of that state. */
  async indexed(state: string): Promise<Record<string, unknown> | null> {
    await vi.waitFor(async () => {
      const { state: reached, timers } = await this.record();
      expect([reached, timers.index]).toEqual([state, undefined]);
    });
    return env.DB.prepare("SELECT * FROM sessions WHERE id = ?").bind(this.session_id).first();
  }
}
