// A broker of a test file's own, agents with certificates for it, and their sockets: by hand, no SDK.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { WebSocket } from "ws";
import { type Broker, startBroker } from "../../scripts/broker/broker.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { Socket, type Wire } from "../wire/socket.ts";
import { type Identity, temporaryFolder } from "./edge-fixtures.ts";

export type Certified = Identity & { name: string; fingerprint: string };

export const uuid = (): string => crypto.randomUUID();

export interface Refusal {
  status: number;
  type: string;
  problem: Record<string, unknown>;
}

/** The problem that an upgrade is refused with. */
export async function refusal(socket: WebSocket): Promise<Refusal> {
  const [, response] = await once(socket, "unexpected-response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, type: response.headers["content-type"], problem: JSON.parse(text) };
}

export class Dialing {
  readonly broker: Broker;
  /** Where the state folder is, and room beside it. */
  readonly dir: string;
  readonly #folder: AsyncDisposable;

  private constructor(broker: Broker, folder: AsyncDisposable & { dir: string }) {
    this.broker = broker;
    this.dir = folder.dir;
    this.#folder = folder;
  }

  static async start(): Promise<Dialing> {
    const folder = await temporaryFolder();
    return new Dialing(await startBroker({ stateDir: join(folder.dir, "state") }), folder);
  }

  async close(): Promise<void> {
    await this.broker.close();
    await this.#folder[Symbol.asyncDispose]();
  }

  /** An agent of that name, certified and registered. */
  async certified(name: string): Promise<Certified> {
    const { stateDir } = this.broker;
    const { certificateFile, keyFile = "", fingerprint } = await certifyAgent({ stateDir, agentId: name });
    const [certificate, key] = await Promise.all([readFile(certificateFile, "utf8"), readFile(keyFile, "utf8")]);
    return { name, fingerprint, certificate, key };
  }

  /** An upgrade on its way; nobody has waited for its answer yet. */
  upgrade(
    url: string,
    identity?: Identity,
    headers: Record<string, string> = {},
    protocol = "agentworks.v1",
  ): WebSocket {
    const ca = this.broker.authority.certificate;
    return new WebSocket(url, protocol, {
      ca,
      headers,
      ...(identity && { cert: identity.certificate, key: identity.key }),
    });
  }

  async dial(agent: Certified, path = "/v1/connect"): Promise<Socket> {
    const socket = this.upgrade(`${this.broker.agentsUrl}${path}`, agent);
    const listening = new Socket(agent.name, socket as Wire);
    await once(socket, "open");
    return listening;
  }

  async registered(agent: Certified): Promise<Socket> {
    const socket = await this.dial(agent);
    socket.say({ type: "REGISTER", id: uuid(), data: {} });
    await socket.next("REGISTER_ACK");
    return socket;
  }

  /** One request of the administrator's. */
  administer(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${this.broker.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.broker.adminToken}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
  }
}
