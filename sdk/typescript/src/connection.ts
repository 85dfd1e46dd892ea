// A WebSocket that comes back: dials, dials again with jitter after every loss, and stops for good after a final one.
// It knows frames as text and nothing of what they say.
import { closeCodes, isFinalClose } from "../../../protocol/wire/errors.ts";
import { type Backoff, backoffMs } from "./backoff.ts";
import { type AgentworksError, clientError } from "./error.ts";
import { Socket, type SocketEnd, type SocketOptions } from "./socket.ts";

const normalClosure = 1000;

export interface ConnectionOptions extends SocketOptions {
  /** false: one loss is the end. */
  reconnect: Backoff | false;
  /** A close code that is final by its number, and not for this connection. */
  notFinal?: number;
  /** In [0, 1). */
  random: () => number;
}

export interface ConnectionEvents {
  /** It is up: what is returned is sent as its first frames. */
  opened(): readonly string[];
  frame(text: string): void;
  /** It was up, or was being dialled, and is not any more. */
  lost(end: SocketEnd, willReconnect: boolean): void;
  retrying(attempt: number, delayMs: number): void;
  /** It will not come back. Last of all events. */
  stopped(error: AgentworksError): void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  /** It has worked at least once: what looks like a wrong set-up is then a passing failure. */
  #proven = false;
  #stopped = false;
  /** Why the latest attempt failed. */
  failure: AgentworksError | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#socket?.isOpen ?? false;
  }

  /** Dials for the first time. */
  start(): void {
    this.#dial();
  }

  /** The broker spoke sense: the next loss starts with the shortest wait again. */
  settled(): void {
    this.#attempt = 0;
    this.#proven = true;
  }

  send(frames: readonly string[]): void {
    for (const frame of frames) this.#socket?.send(frame);
  }

  /** The broker asks the client to come anew, or its certificate is a new one: this connection ends, or its dial does, and the next
   * one is dialled after one short wait. */
  renew(reason: string): void {
    if (this.#socket === undefined) return;
    this.#socket.close(normalClosure, "asked to connect anew");
    this.#attempt = 0;
    this.#ended({ code: closeCodes.draining, reason });
  }

  /** Ends it; no event follows. */
  stop(code: number, reason: string): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.close(code, reason);
    this.#socket = undefined;
  }

  #dial(): void {
    const socket = new Socket(this.#options, {
      opened: () => {
        for (const frame of this.#events.opened()) socket.send(frame);
      },
      frame: (text) => this.#events.frame(text),
      ended: (end) => this.#ended(end),
    });
    this.#socket = socket;
  }

  #ended(end: SocketEnd): void {
    this.#socket = undefined;
    const error = errorOf(end);
    this.failure = error;
    const closed = isFinalClose(end.code) && end.code !== this.#options.notFinal;
    const final = closed || (end.refused !== undefined && !this.#isPassing(end.refused));
    const willReconnect = !final && this.#options.reconnect !== false;
    this.#events.lost(end, willReconnect);
    if (this.#stopped) return;
    if (!willReconnect || this.#options.reconnect === false) {
      this.#stopped = true;
      return this.#events.stopped(error);
    }
    const delayMs = backoffMs(this.#options.reconnect, this.#attempt, this.#options.random());
    this.#attempt++;
    this.#events.retrying(this.#attempt, delayMs);
    this.#timer = setTimeout(() => this.#dial(), delayMs);
  }

  /** A failed TLS handshake is a wrong CA at first, and something on the way later. */
  #isPassing(refused: AgentworksError): boolean {
    return refused.retryable && (refused.reason !== "broker_untrusted" || this.#proven);
  }
}

function errorOf({ code, reason, refused, cause }: SocketEnd): AgentworksError {
  if (refused !== undefined) return refused;
  const why = `${code}${reason === "" ? "" : `, ${reason}`}`;
  if (code === 4409) return clientError("superseded");
  if (isFinalClose(code))
    return clientError("connection_refused", `The broker closed the connection for good (${why}).`);
  return clientError("connection_failed", `The connection was lost or could not be made (${why}).`, { cause });
}
