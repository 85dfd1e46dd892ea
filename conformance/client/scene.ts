// A scripted broker with real TLS and the program under test before it: what a check plays its part with.
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { type ErrorReason, errorBody } from "../../protocol/wire/errors.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { Broken, Missing, must } from "../check.ts";
import { Mailbox, patienceMs, sleep } from "../mailbox.ts";
import { Link, type Members } from "./link.ts";
import { Program } from "./program.ts";
import { agentName, scriptName, Witness } from "./witness.ts";

/** What a scene is set up with; made once for a whole suite. */
export interface Props {
  command: readonly string[];
  /** PEM texts of the broker's own certificate, and of the CA. */
  server: { certificate: string; key: string };
  ca: string;
  /** Paths for the program. */
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** A program may take its time to start. */
const startMsMax = 20_000;
const reconnectMsMax = 10_000;

export class Scene {
  readonly witness = new Witness();
  readonly program: Program;
  readonly #server: Server;
  readonly #arrivals = new Mailbox<Link>("the scripted broker");
  readonly links: Link[] = [];
  /** When somebody tried to connect (milliseconds). */
  readonly attempts: number[] = [];
  /** Upgrades are answered so: by this status, or by a connection that breaks. */
  refuses: number | "cut" | undefined;

  private constructor(props: Props, server: Server) {
    this.#server = server;
    const sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: 4 * limits.frameBytesMax,
    });
    server.on("upgrade", (request, socket, head) => {
      this.attempts.push(performance.now());
      if (this.refuses !== undefined) return refuse(socket, this.refuses);
      if (request.url !== "/v1/connect") return refuse(socket, 404);
      if (request.headers["sec-websocket-protocol"] !== "agentworks.v1") {
        this.#arrivals.fail(new Broken("C2", `it offered subprotocol "${request.headers["sec-websocket-protocol"]}"`));
        return refuse(socket, 426);
      }
      sockets.handleUpgrade(request, socket, head, (upgraded) => {
        const link = new Link(upgraded, this.witness);
        this.links.push(link);
        this.#arrivals.put(link);
      });
    });
    const { port } = server.address() as AddressInfo;
    const setup = { ...props, url: `wss://localhost:${port}` };
    this.program = new Program(setup, () => this.#arrivals.end("the program has ended"));
  }

  static async start(props: Props): Promise<Scene> {
    const { certificate, key } = props.server;
    const server = createServer({ cert: certificate, key, ca: props.ca, requestCert: true, rejectUnauthorized: true });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    return new Scene(props, server);
  }

  /** The next connection of the program's. */
  async arrival(ms = reconnectMsMax): Promise<Link> {
    try {
      return await this.#arrivals.next("a connection", (link) => link, this.links.length === 0 ? startMsMax : ms);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      const { ended, output } = this.program;
      throw new Missing(
        `the program did not connect${ended ? `: ${ended}` : ""}${output ? `; it printed: ${output}` : ""}`,
      );
    }
  }

  /** Nobody connects for so long. */
  async noArrival(rule: string, what: string, ms: number): Promise<void> {
    const before = this.attempts.length;
    await sleep(ms);
    must(rule, this.attempts.length === before, what);
  }

  /** A registered connection. */
  async connected(): Promise<Link> {
    const link = await this.arrival();
    await link.registered();
    return link;
  }

  /** The program connected, and one session open. */
  async open(limit?: number): Promise<{ link: Link; session: Session }> {
    const link = await this.connected();
    return { link, session: await this.openOn(link, limit) };
  }

  async openOn(link: Link, limit: number = limits.windowMessages): Promise<Session> {
    const session = new Session(this, link);
    session.offer();
    const accept = await link.next("SESSION_ACCEPT", (one) => one.session_id === session.id);
    session.accept(accept.id, limit);
    return session;
  }

  async end(): Promise<void> {
    this.program.kill();
    for (const link of this.links) link.drop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const reasons: Record<number, string> = {
  403: "Forbidden",
  404: "Not Found",
  426: "Upgrade Required",
  503: "Unavailable",
};

function refuse(socket: Duplex, how: number | "cut"): void {
  if (how === "cut") return void socket.destroy();
  const reason: ErrorReason = how === 403 ? "certificate_revoked" : how === 503 ? "internal" : "route_unknown";
  const body = JSON.stringify(errorBody(reason));
  const head = `HTTP/1.1 ${how} ${reasons[how] ?? "Refused"}\r\nContent-Type: application/problem+json\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

/** One session at the scripted broker: its numbers, and the envelopes that belong to it. */
export class Session {
  readonly id = randomUUID();
  readonly epoch = randomUUID();
  readonly scene: Scene;
  link: Link;
  /** The last `seq` that was sent to the client. */
  sent = 0;
  /** Work by `seq`: it is sent again as it was. */
  readonly #work = new Map<number, Members>();

  constructor(scene: Scene, link: Link) {
    this.scene = scene;
    this.link = link;
  }

  of(type: string, more: Record<string, unknown> = {}): Members {
    return { type, session_id: this.id, ...more };
  }

  offer(): void {
    this.link.say(this.of("SESSION_INIT", { from: scriptName, to: agentName, data: { capabilities: [] } }));
  }

  accept(answers: string, limit: number): void {
    const data = { epoch: this.epoch, peer: scriptName, capabilities: [] };
    this.link.say(this.of("SESSION_ACCEPT", { in_reply_to: answers, limit, data }));
  }

  /** The next work to the client, not said yet. */
  work(type: string, data: object): Members {
    const envelope = this.of(type, { id: randomUUID(), seq: ++this.sent, from: scriptName, data });
    this.#work.set(this.sent, envelope);
    return envelope;
  }

  messages(...contents: unknown[]): Members[] {
    return contents.map((content) => this.work("MESSAGE", { content }));
  }

  /** MESSAGEs in one frame. */
  say(...contents: unknown[]): void {
    this.link.say(...this.messages(...contents));
  }

  /** Work of before, as it was. */
  again(first: number, last = this.sent): Members[] {
    const all = Array.from({ length: last - first + 1 }, (_, i) => this.#work.get(first + i));
    return all.filter((one) => one !== undefined);
  }

  error(reason: ErrorReason, more: object = {}): Members {
    return this.of("ERROR", { data: { ...errorBody(reason), ...more } });
  }

  /** The contents of the next so many messages of the client's. */
  async contents(count: number, ms?: number): Promise<unknown[]> {
    const heard: unknown[] = [];
    while (heard.length < count) {
      const { data } = await this.link.next("MESSAGE", (one) => one.session_id === this.id, ms);
      heard.push(data.content);
    }
    return heard;
  }

  /** The next SESSION_RESUME of the client's. */
  asked(ms?: number) {
    return this.link.next("SESSION_RESUME", (one) => one.session_id === this.id, ms);
  }

  resumed(
    answers: string,
    received: number,
    more: Record<string, unknown> = {},
    limit = received + limits.windowMessages,
  ): void {
    const data = { outcome: "resumed", epoch: this.epoch, state: "active", received, delivered: received, ...more };
    this.link.say(this.of("SESSION_RESUMED", { in_reply_to: answers, limit, data }));
  }

  /** Cut, back, registered, asked: the question that waits for its answer. */
  async reconnected() {
    this.link = await this.scene.connected();
    return this.asked();
  }

  /** The highest `ack` of the client's on this connection. */
  get taken(): number {
    const acks = this.link.heard.map(({ envelope }) =>
      "session_id" in envelope && envelope.session_id === this.id && "ack" in envelope ? (envelope.ack ?? 0) : 0,
    );
    return Math.max(0, ...acks);
  }

  /** The client has acknowledged through there: alone, or with its work. */
  async acknowledged(through: number, ms = patienceMs): Promise<void> {
    const started = performance.now();
    while (this.taken < through) {
      this.link.assertSound();
      if (performance.now() - started > ms)
        throw new Missing(`an ack of ${through} did not come within ${ms} ms: the highest is ${this.taken}`);
      await sleep(10);
    }
  }
}
