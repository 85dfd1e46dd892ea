// A broker that makes one mistake: the real one behind an edge of its own, which changes what the broker says on its way. The
// kit must find it, and say the rule.
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { type Certified, Dialing } from "../e2e/dialing.ts";

type Envelope = Record<string, unknown> & { type: string; data?: Record<string, unknown> };
/** What an agent hears instead of one envelope. */
type Change = (envelope: Envelope) => Envelope[];

const replacing =
  (change: (envelope: Envelope) => Envelope): Change =>
  (envelope) => [change(envelope)];
const seen = new Set<unknown>();

/** The rule that it breaks, the title of a check that shows it, and what is done to what the broker says. */
export const brokerMistakes: Record<string, [rule: string, title: string, change: Change]> = {
  "delivers twice": ["S1", "stored, acknowledged once", (one) => (one.type === "MESSAGE" ? [one, one] : [one])],
  "grants one too many": [
    "W1",
    "a window that is full",
    replacing((one) => ("limit" in one ? { ...one, limit: Number(one.limit) + 1 } : one)),
  ],
  "says that what is stored is delivered": [
    "S7",
    "the sender hears `delivered`",
    replacing((one) => (one.type === "MESSAGE_ACK" ? { ...one, data: { delivered: one.ack } } : one)),
  ],
  "leaves `from` to its sender": [
    "E3",
    "an offer carries from",
    replacing((one) => ("from" in one ? { ...one, from: "anybody" } : one)),
  ],
  "gives a new id to what it sends again": [
    "A6",
    "everything after `received` comes again",
    replacing((one) => {
      if (one.type !== "MESSAGE") return one;
      const isAgain = seen.has(one.id);
      seen.add(one.id);
      return isAgain ? { ...one, id: crypto.randomUUID() } : one;
    }),
  ],
  "never says RESUME": ["W5", "PAUSE when three quarters", (one) => (one.type === "RESUME" ? [] : [one])],
  "counts a gap from somewhere else": [
    "S4",
    "a gap is sequence_gap",
    replacing((one) => (one.data?.expected === undefined ? one : { ...one, data: { ...one.data, expected: 1 } })),
  ],
  "says nothing of what is open": [
    "R3",
    "an agent without memory finds its sessions",
    replacing((one) => (one.type === "REGISTER_ACK" ? { ...one, data: { ...one.data, sessions: [] } } : one)),
  ],
  "says nothing when it refuses": ["T4", "asked, worked at", (one) => (one.type === "ERROR" ? [] : [one])],
  "sends what cannot be read": [
    "E6",
    "REGISTER and what follows",
    replacing((one) => (one.type === "AGENT_LIST" ? { ...one, data: {} } : one)),
  ],
};

export class WrongBroker {
  readonly #dialing: Dialing;
  readonly #server: Server;
  readonly #agents: readonly Certified[];
  /** What is done to what the broker says; each check may set another. */
  change: Change = (one) => [one];

  private constructor(dialing: Dialing, server: Server, agents: readonly Certified[]) {
    this.#dialing = dialing;
    this.#server = server;
    this.#agents = agents;
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on("connection", (down, request) => {
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject.CN;
      const agent = this.#agents.find(({ name }) => name === subject);
      if (agent !== undefined) this.#join(down, agent, request.url ?? "");
    });
  }

  static async start(): Promise<WrongBroker> {
    const dialing = await Dialing.start();
    const { authority } = dialing.broker;
    const { certificate: cert, key } = await authority.issueServer();
    const server = createServer({ cert, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true });
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    return new WrongBroker(dialing, server, [await dialing.certified("planner"), await dialing.certified("analyst")]);
  }

  /** What the suite is told of it. */
  get target(): { url: string; ca: string } {
    const { port } = this.#server.address() as AddressInfo;
    return { url: `wss://localhost:${port}`, ca: this.#dialing.broker.authority.certificate };
  }

  get agents(): readonly Certified[] {
    return this.#agents;
  }

  #join(down: WebSocket, { certificate: cert, key }: Certified, path: string): void {
    const { agentsUrl, authority } = this.#dialing.broker;
    const up = new WebSocket(`${agentsUrl}${path}`, "agentworks.v1", { cert, key, ca: authority.certificate });
    const early: string[] = [];
    down.on("message", (data: Buffer) => {
      if (up.readyState === WebSocket.OPEN) up.send(data.toString());
      else early.push(data.toString());
    });
    up.on("open", () => {
      for (const frame of early) up.send(frame);
    });
    up.on("message", (data: Buffer) => {
      const said = data
        .toString()
        .split("\n")
        .flatMap((line) => this.change(JSON.parse(line)));
      if (said.length > 0 && down.readyState === WebSocket.OPEN)
        down.send(said.map((one) => JSON.stringify(one)).join("\n"));
    });
    for (const [one, other] of [
      [up, down],
      [down, up],
    ] as const) {
      one.on("error", () => {});
      one.on("close", (code: number) => {
        if (code >= 4000) other.close(code);
        else other.terminate();
      });
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#dialing.close();
  }
}
