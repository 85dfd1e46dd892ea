// Where the live fuzzing happens: a broker behind its edge, an attacker and its partner, and two bystanders whose session must
// not notice anything.
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import { isWork } from "../../protocol/wire/envelope.ts";
import { type Certified, Dialing } from "../e2e/dialing.ts";
import { LiveSocket, uuid } from "./live-socket.ts";
import { must } from "./oracle.ts";
import type { Moment } from "./samples.ts";

/** A session that both ends know, as the attacker sees it. */
interface Known {
  id: string;
  epoch: string;
  stored: number;
  sent: number;
  ended: boolean;
}

const registration = () => ({ type: "REGISTER", id: uuid(), data: {} });

export class LiveField {
  readonly #dialing: Dialing;
  readonly #agents: Record<string, Certified> = {};
  readonly #sockets: LiveSocket[] = [];
  #known: Known = { id: uuid(), epoch: "", stored: 0, sent: 0, ended: true };
  #partner: LiveSocket | undefined;
  #bystanders: [LiveSocket, LiveSocket] | undefined;
  #quiet = { id: uuid(), seq: 0 };

  private constructor(dialing: Dialing) {
    this.#dialing = dialing;
  }

  static async open(): Promise<LiveField> {
    const field = new LiveField(await Dialing.start());
    for (const name of ["planner", "analyst", "first", "second"]) {
      field.#agents[name] = await field.#dialing.certified(name);
    }
    const [first, second] = [await field.#dial("first"), await field.#dial("second")];
    for (const socket of [first, second]) await socket.ask(registration());
    field.#bystanders = [first, second];
    const { id: session_id } = field.#quiet;
    const offered = second.hears("an offer", ({ type }) => type === "SESSION_INIT");
    first.say({ type: "SESSION_INIT", id: uuid(), session_id, to: "second" });
    await offered;
    await second.ask({ type: "SESSION_ACCEPT", id: uuid(), session_id } as { id: string });
    return field;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await this.#dialing.close();
  }

  async #dial(name: string, path = "/v1/connect", hear?: (envelope: BrokerEnvelope) => void): Promise<LiveSocket> {
    const agent = this.#agents[name];
    if (agent === undefined) throw new Error(`no agent ${name}`);
    const socket = this.#dialing.upgrade(`${this.#dialing.broker.agentsUrl}${path}`, agent);
    const live = await new LiveSocket(name, socket, hear).opened();
    this.#sockets.push(live);
    return live;
  }

  // --- the attacker and its partner

  /** Takes every offer, acknowledges all work at once: nothing of the attacker's waits for long. */
  async #partnerAlive(): Promise<LiveSocket> {
    if (this.#partner?.closed === undefined && this.#partner !== undefined) return this.#partner;
    const partner = await this.#dial("analyst", "/v1/connect", (envelope) => {
      if (envelope.type === "SESSION_INIT" && envelope.session_id === this.#known.id)
        partner.say({ type: "SESSION_ACCEPT", id: uuid(), session_id: envelope.session_id });
      if (!isWork(envelope)) return;
      partner.say({ type: "MESSAGE_ACK", session_id: envelope.session_id, ack: envelope.seq });
    });
    await partner.ask(registration());
    this.#partner = partner;
    return partner;
  }

  #follow(envelope: BrokerEnvelope): void {
    const known = this.#known;
    if (!("session_id" in envelope) || envelope.session_id !== known.id) return;
    if (envelope.type === "SESSION_ACCEPT") Object.assign(known, { epoch: envelope.data.epoch, ended: false });
    if (envelope.type === "MESSAGE_ACK") known.stored = Math.max(known.stored, envelope.ack);
    if (isWork(envelope)) known.sent = Math.max(known.sent, envelope.seq);
    if (envelope.type === "SESSION_CLOSED" || envelope.type === "SESSION_REJECT") known.ended = true;
    if (envelope.type === "SESSION_RESUMED") {
      known.ended = envelope.data.outcome !== "resumed";
      known.stored = Math.max(known.stored, envelope.data.received);
    }
  }

  /** A connection of the attacker's: registered or not, or straight to its session; its session is open. */
  async attacker(how: "connect" | "unregistered" | "direct"): Promise<LiveSocket> {
    await this.#partnerAlive();
    const socket = await this.#dial("planner", "/v1/connect", (envelope) => this.#follow(envelope));
    if (how === "unregistered") return socket;
    await socket.ask(registration());
    await this.#attach(socket);
    if (how === "connect") return socket;
    const direct = await this.#dial("planner", `/v1/sessions/${this.#known.id}`, (one) => this.#follow(one));
    await this.#attach(direct);
    return direct;
  }

  async #attach(socket: LiveSocket): Promise<void> {
    if (!this.#known.ended) await socket.ask(this.#resume());
    if (!this.#known.ended) return;
    const id = uuid();
    this.#known = { id, epoch: "", stored: 0, sent: 0, ended: true };
    await socket.ask({ type: "SESSION_INIT", id: uuid(), session_id: id, to: "analyst" } as { id: string });
    must(!this.#known.ended, "a new session was not opened");
  }

  #resume(): { id: string } {
    const { id, epoch, stored, sent } = this.#known;
    const data = { epoch, received: sent, first: 1, next: stored + 1 };
    return { type: "SESSION_RESUME", id: uuid(), session_id: id, data } as { id: string };
  }

  moment(): Moment {
    const { id: session_id, epoch, stored, sent } = this.#known;
    return { session_id, epoch, me: "planner", peer: "analyst", next: stored + 1, sent, id: "", task_id: "" };
  }

  /** Everything before it is answered when this is: on a connection by the agent's object, on both ways by the session. */
  async fence(socket: LiveSocket, direct: boolean): Promise<void> {
    if (!direct) await socket.ask({ type: "AGENT_QUERY", id: uuid() } as { id: string });
    await socket.ask(this.#resume());
  }

  /** The bystanders' session goes on; nobody else's frame came into it. */
  async unharmed(): Promise<void> {
    const [from, to] = this.#bystanders ?? [];
    if (from === undefined || to === undefined) throw new Error("the field is not open");
    const seq = ++this.#quiet.seq;
    const { id: session_id } = this.#quiet;
    const content = { seq, at: uuid() };
    const arrived = to.hears("the bystander's message", (one) => one.type === "MESSAGE");
    const stored = from.hears("the bystander's receipt", (one) => one.type === "MESSAGE_ACK" && one.ack >= seq);
    from.say({ type: "MESSAGE", id: uuid(), session_id, seq, data: { content } });
    const message = await arrived;
    const isOurs = message?.type === "MESSAGE" && JSON.stringify(message.data.content) === JSON.stringify(content);
    must(isOurs, "the bystander heard something else", JSON.stringify(message));
    must((await stored) !== undefined, "a bystander was closed");
    to.say({ type: "MESSAGE_ACK", session_id, ack: seq });
    for (const socket of this.#sockets) socket.judge();
    must(from.closed === undefined && to.closed === undefined, "a bystander was closed");
  }
}
