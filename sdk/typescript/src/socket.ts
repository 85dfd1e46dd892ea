// One WebSocket from its dial to its end: mutual TLS, the subprotocol, the heartbeat, and why it could not be opened.
// It reports once that it is over; what to do then is its owner's business.
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { closeCodes } from "../../../protocol/wire/errors.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { asTlsOptions, type Credentials } from "./credentials.ts";
import { type AgentworksError, clientError, isUntrusted, problemError } from "./error.ts";
import { Heartbeat, type HeartbeatTiming } from "./heartbeat.ts";

const subprotocol = "agentworks.v1";
const heartbeat = '{"type":"HEARTBEAT"}';
const handshakeMsMax = 20_000;
const problemBytesMax = 64 * 1024;
/** The broker's frames are a little longer than what agents may send: it stamps `from` and `seq`. */
const payloadBytesMax = 2 * limits.frameBytesMax + 64 * 1024;

export interface Timing extends HeartbeatTiming {
  ackStallMs: number;
  deliveryStallMs: number;
}

export interface SocketOptions {
  url: URL;
  /** As they are at the moment of a dial: they may be renewed. */
  credentials: { readonly current: Credentials };
  timing: Timing;
}

/** How a socket ended. `refused`: the upgrade was answered with a problem, or the TLS handshake failed for good. */
export type SocketEnd = { code: number; reason: string; refused?: AgentworksError; cause?: Error };

export interface SocketEvents {
  opened(): void;
  frame(text: string): void;
  /** Once, and last. */
  ended(end: SocketEnd): void;
}

/** Reads the problem+json with which an upgrade was refused. */
async function refusalOf(response: IncomingMessage): Promise<AgentworksError> {
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) {
      text += chunk;
      if (text.length > problemBytesMax) break;
    }
  } catch {
    // What came until then says what it says.
  }
  return problemError(response.statusCode ?? 0, text);
}

export class Socket {
  readonly #socket: WebSocket;
  readonly #events: SocketEvents;
  readonly #heartbeat: Heartbeat;
  #failure: Error | undefined;
  #gaveUp = false;
  #over = false;

  /** Dials. */
  constructor({ url, credentials, timing }: SocketOptions, events: SocketEvents) {
    this.#events = events;
    const socket = new WebSocket(url, subprotocol, {
      ...asTlsOptions(credentials.current),
      minVersion: "TLSv1.2",
      perMessageDeflate: false,
      maxPayload: payloadBytesMax,
      handshakeTimeout: handshakeMsMax,
      followRedirects: false,
    });
    this.#socket = socket;
    this.#heartbeat = new Heartbeat(timing, {
      beat: () => socket.send(heartbeat),
      giveUp: () => {
        this.#gaveUp = true;
        socket.terminate();
      },
    });
    socket.on("open", () => {
      if (this.#over) return;
      this.#heartbeat.start();
      events.opened();
    });
    socket.on("message", (data: Buffer) => {
      if (this.#over) return;
      this.#heartbeat.heard();
      events.frame(data.toString("utf8"));
    });
    socket.on("unexpected-response", (request, response) => {
      refusalOf(response).then((refused) => {
        request.destroy();
        this.#end({ code: 1006, reason: refused.reason, refused });
      });
    });
    socket.on("error", (error: Error) => {
      this.#failure = error;
    });
    socket.on("close", (code: number, reason: Buffer) => this.#closed(code, reason.toString("utf8")));
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return !this.#over && this.#socket.readyState === WebSocket.OPEN;
  }

  send(frame: string): void {
    this.#heartbeat.sent();
    this.#socket.send(frame);
  }

  /** Ends it in an orderly way; it reports nothing more. */
  close(code: number, reason: string): void {
    this.#silence();
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }

  #silence(): void {
    this.#over = true;
    this.#heartbeat.stop();
  }

  #end(end: SocketEnd): void {
    if (this.#over) return;
    this.#silence();
    this.#events.ended(end);
  }

  #closed(code: number, reason: string): void {
    const cause = this.#failure;
    if (this.#gaveUp) return this.#end({ code: closeCodes.heartbeat_timeout, reason: "nothing came for too long" });
    const name = cause !== undefined && "code" in cause && typeof cause.code === "string" ? cause.code : "";
    const refused = isUntrusted(name)
      ? clientError("broker_untrusted", `The TLS handshake failed: ${cause?.message ?? name}.`, { cause })
      : undefined;
    const why = reason !== "" ? reason : (cause?.message ?? "");
    this.#end({ code, reason: why, ...(refused && { refused }), ...(cause && { cause }) });
  }
}
