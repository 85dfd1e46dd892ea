// A socket that speaks frames of its own making, and waits for one kind of answer at a time: for measurements that must decide
// what is in a frame, where the SDK batches by its own rule.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { uuidv7 } from "../protocol/wire/ids.ts";
import type { Dial } from "./lanes.ts";

export const uuid = (): string => uuidv7(Date.now(), randomBytes(10));

/** What is read of the broker's envelopes here. */
export interface Spoken {
  type: string;
  session_id?: string;
  seq?: number;
  ack?: number;
  data?: { delivered?: number; epoch?: string };
}

export class Speaker {
  readonly #socket: WebSocket;
  #waiting: { test: (envelope: Spoken) => boolean; resolve: (envelope: Spoken) => void } | undefined;
  /** Frames sent: what a socket is billed by. */
  frames = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (frame) => {
      for (const line of String(frame).split("\n")) this.#hear(JSON.parse(line) as Spoken);
    });
  }

  static async dial({ url, caFile, certificateFile, keyFile }: Dial, path: string): Promise<Speaker> {
    const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(certificateFile), readFile(keyFile)]);
    const socket = new WebSocket(`${url}${path}`, "agentworks.v1", { ca, cert, key });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return new Speaker(socket);
  }

  static async register(dial: Dial): Promise<Speaker> {
    const speaker = await Speaker.dial(dial, "/v1/connect");
    await speaker.ask([{ type: "REGISTER", id: uuid(), data: {} }], ({ type }) => type === "REGISTER_ACK");
    return speaker;
  }

  #hear(envelope: Spoken): void {
    if (envelope.type === "ERROR") throw new Error(JSON.stringify(envelope));
    if (this.#waiting?.test(envelope)) this.#waiting.resolve(envelope);
  }

  say(envelopes: object[]): void {
    this.frames++;
    this.#socket.send(envelopes.map((envelope) => JSON.stringify(envelope)).join("\n"));
  }

  /** Sends, and waits for the answer that fits. */
  ask(envelopes: object[], test: (envelope: Spoken) => boolean): Promise<Spoken> {
    const answer = this.wait(test);
    this.say(envelopes);
    return answer;
  }

  wait(test: (envelope: Spoken) => boolean): Promise<Spoken> {
    return new Promise((resolve) => {
      this.#waiting = { test, resolve };
    });
  }

  close(): void {
    this.#socket.close();
  }
}
