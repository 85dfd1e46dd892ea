// An agent as the application holds it: its connection, its sessions, and the one flush per turn that sends what they have.
// What a session or a task means is decided elsewhere; here lines are gathered into frames and envelopes handed out.
import { ClientSession } from "../../../protocol/session/client.ts";
import { decodeBrokerFrame, encode, packFrames } from "../../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker, ListedAgent } from "../../../protocol/wire/envelope.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type {
  Agent,
  ByCapability,
  ConnectOptions,
  HandleOptions,
  Handler,
  OpenOptions,
  Session,
  Status,
} from "./api.ts";
import { Calls } from "./calls.ts";
import type { Renewal } from "./certificates/renewal.ts";
import { Channel } from "./channel.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { Credentials } from "./credentials.ts";
import { type Deferred, deferred, noop } from "./deferred.ts";
import { openDirect } from "./direct.ts";
import { AgentworksError, clientError } from "./error.ts";
import { Handlers } from "./handlers.ts";
import type { Host } from "./host.ts";
import type { Journal } from "./journal.ts";
import type { SessionMemory } from "./journal-records.ts";
import { LiveSession } from "./live-session.ts";
import { mint } from "./mint.ts";
import { judgeOffer, openSession } from "./offers.ts";
import { Outlet } from "./outlet.ts";
import { Recent } from "./recent.ts";
import { Statuses } from "./statuses.ts";
import { sdkVersion } from "./version.ts";

export interface AgentSetup extends ConnectionOptions {
  direct: boolean;
  accept: ConnectOptions["accept"];
  recover: boolean;
  journal: Journal | undefined;
  /** None where the certificate stays as it is. */
  renewal: Renewal | undefined;
  credentials: { current: Credentials };
}

const normalClosure = 1000;
/** Ended sessions that are remembered, lest the broker's list bring one back: as many as may be open at all. */
const endedHereMax = limits.openSessionsMax;

export class LiveAgent implements Agent, Host {
  id = "";
  account = "";
  readonly handlers = new Handlers();
  readonly journal: Journal | undefined;
  readonly random: () => number;
  readonly #setup: AgentSetup;
  readonly #connection: Connection;
  readonly #sessions = new Map<string, LiveSession>();
  readonly #endedHere = new Recent(endedHereMax);
  readonly #directs = new Map<string, Connection>();
  readonly #calls: Calls;
  readonly #statuses = new Statuses();
  readonly #incoming = new Channel<LiveSession>();
  readonly #registering: Deferred<void> = deferred();
  readonly #outlet = new Outlet(() => this.#connection);
  #announcing: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  #over: AgentworksError | undefined;
  readonly #watch: NodeJS.Timeout;

  constructor(setup: AgentSetup) {
    this.#setup = setup;
    this.random = setup.random;
    this.journal = setup.journal;
    if (this.journal !== undefined) this.journal.onFailure = (error) => this.#stop(error);
    this.#calls = new Calls((line) => this.#outlet.line(line));
    this.#connection = new Connection(setup, {
      opened: () => this.#greet(),
      frame: (text) => this.#frame(text),
      lost: ({ code, reason }, willReconnect) => this.tell({ type: "disconnected", code, reason, willReconnect }),
      retrying: (attempt, delayMs) => this.tell({ type: "reconnecting", attempt, delayMs }),
      stopped: (error) => this.#stop(error),
    });
    this.#watch = setInterval(() => {
      const nowMs = performance.now();
      for (const session of this.#sessions.values()) session.watchStall(nowMs, setup.timing);
    }, setup.timing.ackStallMs / 4);
    this.#watch.unref();
    this.#connection.start();
  }

  /** Resolves at the first REGISTER_ACK; rejects when there will be none. */
  get registered(): Promise<void> {
    return this.#registering.promise;
  }

  /** Why the latest attempt to connect failed. */
  get failure(): AgentworksError | undefined {
    return this.#connection.failure;
  }

  // --- what the application does

  async handle(capability: string, handler: Handler, options: HandleOptions = {}): Promise<void> {
    this.handlers.add(capability, handler, options);
    if (this.#over !== undefined) throw this.#over;
    // Several in one turn are one announcement.
    this.#announcing ??= Promise.resolve().then(async () => {
      this.#announcing = undefined;
      const { capabilities } = this.handlers;
      await this.#calls.ask({ type: "CAPABILITY_ANNOUNCE", id: mint(), data: { capabilities } });
    });
    const announced = this.#announcing;
    announced.catch(noop);
    await announced;
  }

  async open(peer: string | ByCapability, options: OpenOptions = {}): Promise<Session> {
    return openSession(peer, options, (core) => this.#begin(core), this.random);
  }

  sessions(): AsyncIterableIterator<Session> {
    return this.#incoming[Symbol.asyncIterator]();
  }

  async agents({ capability }: { capability?: string } = {}): Promise<ListedAgent[]> {
    if (this.#over !== undefined) throw this.#over;
    return this.#calls.listAgents(capability);
  }

  status(): AsyncIterableIterator<Status> {
    return this.#statuses.read();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    await this.handlers.drain();
    await Promise.allSettled(Array.from(this.#sessions.values(), (session) => session.close("drained")));
    // What was taken last is acknowledged: a session that waited for nothing else has ended then.
    this.#outlet.settle(this.#sessions.values());
    await this.close();
  }

  async close(): Promise<void> {
    this.#stop(clientError("agent_closed"));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  // --- what its sessions ask of it

  tell(status: Status): void {
    this.#statuses.say(status);
  }

  wake(session: LiveSession): void {
    this.#outlet.wake(session);
  }

  opened(session: LiveSession): void {
    this.tell({ type: "session_opened", session });
    if (session.offered) this.#incoming.push(session);
    if (!this.#setup.direct) return;
    const events = { frame: (text: string) => this.#frame(text), tell: (status: Status) => this.tell(status) };
    this.#directs.set(session.id, openDirect(session, this.#setup, events));
  }

  ended(session: LiveSession): void {
    this.#sessions.delete(session.id);
    this.#endedHere.add(session.id);
    this.#outlet.forget(session);
    this.#directs.get(session.id)?.stop(normalClosure, "the session has ended");
    this.#directs.delete(session.id);
    // One that nobody asked for, and that left nothing to read, need not be kept for a reader.
    if (!session.hasUnread) this.#incoming.remove((one) => one === session);
    void session.closed.then((end) => this.tell({ type: "session_closed", session, ...end }));
  }

  // --- out

  #begin(core: ClientSession, memory?: SessionMemory): LiveSession {
    if (this.#over !== undefined) throw this.#over;
    if (this.#draining !== undefined) throw clientError("agent_draining");
    const session = new LiveSession(core, this, memory);
    this.#sessions.set(session.id, session);
    this.wake(session);
    return session;
  }

  /** The first frame of a connection: who this is, what is open, what was asked. */
  #greet(): string[] {
    this.#outlet.dropLines();
    const data = { capabilities: this.handlers.capabilities, sdk: sdkVersion };
    const lines = [encode({ type: "REGISTER", id: mint(), data }), ...this.#calls.lines];
    for (const session of this.#sessions.values()) {
      if (session.route !== undefined) continue;
      session.connected();
      lines.push(...session.lines());
    }
    return packFrames(lines);
  }

  // --- in

  #frame(text: string): void {
    for (const decoded of decodeBrokerFrame(text)) {
      if (decoded.ok) this.#take(decoded.envelope);
      else this.tell({ type: "fault", error: clientError("unreadable", `The broker sent ${decoded.fault.reason}.`) });
    }
  }

  #take(envelope: BrokerEnvelope): void {
    const session_id = "session_id" in envelope ? envelope.session_id : undefined;
    const session = session_id === undefined ? undefined : this.#sessions.get(session_id);
    if (session !== undefined && envelope.type !== "SESSION_INIT") return session.receive(envelope);
    switch (envelope.type) {
      case "REGISTER_ACK":
        return this.#welcome(envelope);
      case "SESSION_INIT":
        return session === undefined ? this.#judge(envelope) : undefined;
      case "GOAWAY":
        this.tell({ type: "goaway", reason: envelope.data.reason });
        return this.#connection.renew(envelope.data.reason);
      case "ERROR":
        if (this.#calls.answered(envelope)) return;
        if (envelope.data.reason === "rate_limited") this.#outlet.slowDown();
        return this.tell({ type: "fault", error: new AgentworksError(envelope.data) });
      default:
        this.#calls.answered(envelope);
    }
  }

  #welcome({ data }: FromBroker<"REGISTER_ACK">): void {
    const mismatch = this.journal?.claim(data);
    if (mismatch !== undefined) return this.#stop(mismatch);
    this.id = data.agent;
    this.account = data.account;
    this.#connection.settled();
    this.#registering.resolve();
    if (this.#setup.recover && this.#draining === undefined) this.#recover(data.sessions);
    this.tell({ type: "connected", agent: data.agent });
    this.#setup.renewal?.start(this.id, {
      renewed: (credentials, notAfter) => this.#renewed(credentials, notAfter),
      failed: (error) => this.tell({ type: "fault", error }),
    });
  }

  /** The broker ends a connection with its certificate: each is made anew now, with the next one, and sessions resume. */
  #renewed(credentials: Credentials, notAfter: Date): void {
    this.#setup.credentials.current = credentials;
    this.tell({ type: "certificate_renewed", notAfter });
    for (const connection of [this.#connection, ...this.#directs.values()]) connection.renew("certificate renewed");
  }

  /**
   * Sessions that this program knows nothing of were an earlier life's; those that it saw end are none of them. What the journal
   * remembers is resumed from there, whether or not the broker lists it: how it ended is told then.
   */
  #recover(listed: FromBroker<"REGISTER_ACK">["data"]["sessions"]): void {
    const isKnown = (session_id: string) => this.#sessions.has(session_id) || this.#endedHere.has(session_id);
    for (const memory of this.journal?.memory.sessions.values() ?? []) {
      if (!isKnown(memory.session)) this.#begin(ClientSession.recall(memory.remembered, mint), memory);
    }
    for (const { session_id, peer } of listed) {
      if (!isKnown(session_id)) this.#begin(ClientSession.recover(session_id, peer, mint));
    }
  }

  #judge(offer: FromBroker<"SESSION_INIT">): void {
    const refusal = this.#draining === undefined ? undefined : "The agent is draining.";
    let judged: ReturnType<typeof judgeOffer>;
    try {
      judged = judgeOffer(offer, this.#setup.accept, refusal);
    } catch (error) {
      this.tell({ type: "fault", error: clientError("invalid_argument", "`accept` threw.", { cause: error }) });
      judged = judgeOffer(offer, undefined, "The agent failed to judge the offer.");
    }
    if ("accepted" in judged) this.#begin(judged.accepted);
    else this.#outlet.line(judged.rejected);
  }

  // --- the end

  #stop(error: AgentworksError): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    // First: what the ends of the sessions let go of is neither taken nor finished.
    this.journal?.close();
    clearInterval(this.#watch);
    this.#setup.renewal?.stop();
    this.#outlet.stop();
    this.#connection.stop(normalClosure, "closed");
    if (error.reason === "superseded") this.tell({ type: "superseded" });
    this.#registering.reject(error);
    for (const session of [...this.#sessions.values()]) session.stop(error);
    this.#calls.fail(error);
    this.#incoming.end();
    // The last statuses are said in the microtasks that the ends of the sessions left behind.
    setImmediate(() => this.#statuses.end());
  }
}
