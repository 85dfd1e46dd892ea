// An agent as the application holds it: its connection, and what it and its sessions say and hear by that. Lines are gathered into
// frames here, and envelopes handed out. Which sessions there are is in `sessions.ts`; what a session or a task means, elsewhere.
import { decodeBrokerFrame, encode, packFrames } from "../../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker, ListedAgent } from "../../../protocol/wire/envelope.ts";
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
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { Credentials } from "./credentials.ts";
import { type Deferred, deferred, noop } from "./deferred.ts";
import { openDirect } from "./direct.ts";
import { AgentworksError, clientError } from "./error.ts";
import { Handlers } from "./handlers.ts";
import type { Host } from "./host.ts";
import type { Journal } from "./journal.ts";
import type { LiveSession } from "./live-session.ts";
import { mint } from "./mint.ts";
import { judgeOffer, openSession } from "./offers.ts";
import { Outlet } from "./outlet.ts";
import { Sessions } from "./sessions.ts";
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

export class LiveAgent implements Agent, Host {
  id = "";
  account = "";
  readonly handlers = new Handlers();
  readonly journal: Journal | undefined;
  readonly random: () => number;
  readonly #setup: AgentSetup;
  readonly #connection: Connection;
  readonly #sessions: Sessions;
  readonly #calls: Calls;
  readonly #statuses = new Statuses();
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
    const events = { frame: (text: string) => this.#frame(text), tell: (status: Status) => this.tell(status) };
    this.#sessions = new Sessions(this, {
      refusal: () => this.#over ?? (this.#draining === undefined ? undefined : clientError("agent_draining")),
      dial: setup.direct ? (session) => openDirect(session, setup, events) : undefined,
    });
    this.#calls = new Calls((line) => this.#outlet.line(line));
    this.#connection = new Connection(setup, {
      opened: () => this.#greet(),
      frame: events.frame,
      lost: ({ code, reason }, willReconnect) => this.tell({ type: "disconnected", code, reason, willReconnect }),
      retrying: (attempt, delayMs) => this.tell({ type: "reconnecting", attempt, delayMs }),
      stopped: (error) => this.#stop(error),
    });
    this.#watch = setInterval(() => {
      const nowMs = performance.now();
      for (const session of this.#sessions) session.watchStall(nowMs, setup.timing);
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
    return openSession(peer, options, (core) => this.#sessions.begin(core), this.random);
  }

  sessions(): AsyncIterableIterator<Session> {
    return this.#sessions.incoming[Symbol.asyncIterator]();
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
    // Whether it is answered is a peer's business: one that is taken before the agent has left is closed, and the rest is left.
    for (const session of this.#sessions) if (session.isOffering) session.abandon(clientError("agent_draining"));
    await this.handlers.drain();
    const open = [...this.#sessions].filter(({ isOffering }) => !isOffering);
    await Promise.allSettled(open.map((session) => session.close("drained")));
    // What was taken last is acknowledged: a session that waited for nothing else has ended then.
    this.#outlet.settle(this.#sessions);
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
    this.#sessions.opened(session);
  }

  ended(session: LiveSession): void {
    this.#outlet.forget(session);
    this.#sessions.ended(session);
  }

  // --- out

  /** The first frame of a connection: who this is, what is open, what was asked. */
  #greet(): string[] {
    this.#outlet.dropLines();
    const data = { capabilities: this.handlers.capabilities, sdk: sdkVersion };
    const lines = [encode({ type: "REGISTER", id: mint(), data }), ...this.#calls.lines];
    for (const session of this.#sessions) {
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
    if (this.#setup.recover && this.#draining === undefined) this.#sessions.recover(data.sessions);
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
    const reason = "certificate renewed";
    this.#connection.renew(reason);
    this.#sessions.renew(reason);
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
    if ("accepted" in judged) this.#sessions.begin(judged.accepted);
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
    this.#sessions.stop(error);
    this.#calls.fail(error);
    this.#sessions.incoming.end();
    // The last statuses are said in the microtasks that the ends of the sessions left behind.
    setImmediate(() => this.#statuses.end());
  }
}
