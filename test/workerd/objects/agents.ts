// Agents of the tests, and the four ways a scenario runs: over the agent's connection or a direct socket, and with the objects'
// memory kept or lost before every frame (the sockets survive: that is what hibernation does).
import { evictAllDurableObjects } from "cloudflare:test";
import { it, vi } from "vitest";
import type { Capability } from "../../../protocol/wire/envelope.ts";
import { type Line, type Said, Socket } from "../../wire/socket.ts";
import { ask, certificateTime, hour, newAgent, tlsOf, upgradeHeaders } from "../worker/fixtures.ts";

export interface Way {
  name: string;
  /** Work goes over `/v1/sessions/{id}`. */
  direct: boolean;
  /** Every object loses its memory before each frame. */
  evicts: boolean;
}

export const plain: Way = { name: "multiplexed", direct: false, evicts: false };
export const plainDirect: Way = { name: "direct", direct: true, evicts: false };
/** For scenarios that end before there is a session to connect to. */
export const multiplexed: readonly Way[] = [
  plain,
  { name: "multiplexed, evicted between frames", direct: false, evicts: true },
];
export const ways: readonly Way[] = [
  ...multiplexed,
  plainDirect,
  { name: "direct, evicted between frames", direct: true, evicts: true },
];

/** One test for each way. */
export const everyWay = (title: string, scenario: (way: Way) => Promise<void>, over = ways): void =>
  it.each(over)(`${title} ($name)`, scenario);

// Longer than a wait for an envelope, so that it is the wait that fails: its message says what had come.
vi.setConfig({ testTimeout: 60_000 });

export const uuid = (): string => crypto.randomUUID();

let count = 0;

export class Agent {
  readonly name: string;
  readonly way: Way;
  /** What the edge says about its certificate. */
  readonly tls: ReturnType<typeof tlsOf>;
  #connection: Socket | undefined;
  /** Its direct socket to the session under test. */
  direct: Socket | undefined;

  private constructor(way: Way, name: string, fingerprint: string) {
    this.way = way;
    this.name = name;
    // Longer than any scenario, but the one about its end.
    this.tls = tlsOf(fingerprint, { certNotAfter: certificateTime(Date.now() + 48 * hour) });
  }

  /** An agent of a new name in the registry, with a certificate. Not connected. */
  static enrolled(way: Way, label: string): Promise<Agent> {
    return Agent.named(way, `${label}-${++count}`);
  }

  /** The same, of that name. */
  static async named(way: Way, name: string, account?: string): Promise<Agent> {
    const { fingerprint } = await newAgent(name, account);
    return new Agent(way, name, fingerprint);
  }

  /** The same, connected and registered. */
  static async registered(way: Way, label: string, capabilities: Capability[] = []): Promise<Agent> {
    const agent = await Agent.enrolled(way, label);
    await agent.register(capabilities);
    return agent;
  }

  get connection(): Socket {
    if (this.#connection === undefined) throw new Error(`${this.name} is not connected`);
    return this.#connection;
  }

  /** Where its work goes. */
  get socket(): Socket {
    return this.direct ?? this.connection;
  }

  /** A new socket to `path`; throws where the broker answers anything but 101. */
  async dial(path: string): Promise<Socket> {
    const response = await ask(path, this.tls, { headers: upgradeHeaders });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`${this.name} gets ${response.status}: ${await response.text()}`);
    return Agent.listening(this.name, socket);
  }

  /** The client's end of an upgrade, heard from its first frame on. */
  static listening(name: string, socket: WebSocket): Socket {
    const listening = new Socket(name, socket);
    socket.accept();
    return listening;
  }

  /** Opens the connection, and says nothing on it. */
  async connect(): Promise<Socket> {
    this.#connection = await this.dial("/v1/connect");
    return this.#connection;
  }

  /** Connects and registers. */
  async register(capabilities: Capability[] = []): Promise<Said<"REGISTER_ACK">> {
    await this.connect();
    await this.tell({ type: "REGISTER", id: uuid(), data: { capabilities } });
    return this.connection.next("REGISTER_ACK");
  }

  /** One frame on the connection. */
  async tell(...lines: Line[]): Promise<void> {
    await this.forget();
    this.connection.say(...lines);
  }

  /** One frame where its work goes. */
  async say(...lines: Line[]): Promise<void> {
    await this.forget();
    this.socket.say(...lines);
  }

  /** Shows on its sockets that it is there: by a frame, which the test's clock dates (the runtime's own answer has another). */
  async beat(): Promise<void> {
    for (const socket of [this.connection, this.direct]) {
      if (socket === undefined) continue;
      socket.say('{"type": "HEARTBEAT"}');
      await socket.next("HEARTBEAT_ACK");
    }
  }

  /** Every object loses its memory, after what it was doing is done. */
  static forgetAll(): Promise<void> {
    return evictAllDurableObjects();
  }

  /** The same, where the way says so. */
  async forget(): Promise<void> {
    if (this.way.evicts) await Agent.forgetAll();
  }

  /** The ERROR about the envelope of that id; without one, the oldest ERROR without a reference. */
  async errorAbout(id?: string): Promise<Said<"ERROR">["data"]> {
    return (await this.socket.next("ERROR", ({ in_reply_to }) => in_reply_to === id)).data;
  }
}
