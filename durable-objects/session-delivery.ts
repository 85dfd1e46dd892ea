// How frames reach the two sides of a session: over a direct socket to its object, or by the object of the agent. An attachment
// that is not there any more is reported as lost; what that means for the session is the core's to say.
import type { AttachKey } from "../protocol/session/effects.ts";
import type { Side } from "../protocol/session/tasks.ts";
import { errorLine } from "../protocol/wire/codec.ts";
import type { AgentObject } from "./agent-object.ts";
import { closeSocket, liveSocket, openSocket } from "./sockets.ts";

/** Attachments by a direct socket; those by an agent's connection are named by its `AgentObject`. */
const isDirect = (attach: AttachKey) => attach.startsWith("d");

export const freshDirectKey = (): AttachKey => `d${crypto.randomUUID()}`;

/** What a session tells of itself, and is told. */
export interface Delivering {
  session_id(): string | undefined;
  agent(side: Side): DurableObjectStub<AgentObject>;
  /** Nothing more reaches that side there. */
  lost(side: Side, attach: AttachKey): void;
}

export class Delivery {
  readonly #ctx: DurableObjectState;
  readonly #session: Delivering;
  /** Kept, for calls arrive in order on one stub only. */
  readonly #agents = new Map<Side, DurableObjectStub<AgentObject>>();

  constructor(ctx: DurableObjectState, session: Delivering) {
    this.#ctx = ctx;
    this.#session = session;
  }

  /** Frames for whoever is attached there, after all that was sent there before. */
  send(to: Side, attach: AttachKey, frames: string[]): void {
    if (!isDirect(attach)) return this.#relay(to, attach, frames);
    const socket = liveSocket(this.#ctx, attach, Date.now());
    if (socket === undefined) return this.#session.lost(to, attach);
    for (const frame of frames) socket.send(frame);
  }

  /** Closes a direct socket; the connection of an agent is not the session's to close. */
  close(attach: AttachKey, code: number, reason: string): void {
    const socket = isDirect(attach) ? openSocket(this.#ctx, attach) : undefined;
    if (socket !== undefined) closeSocket(socket, code, reason);
  }

  /** The session is no more: its object may be that of another one, between other agents. */
  forget(): void {
    this.#agents.clear();
  }

  /** Not awaited: the answer to the sender must not wait for the receiver. */
  #relay(to: Side, attach: AttachKey, frames: string[]): void {
    const delivered = this.#agent(to).deliver(attach, frames);
    this.#ctx.waitUntil(
      delivered.then(
        (taken) => (taken ? undefined : this.#session.lost(to, attach)),
        async () => {
          this.#agents.delete(to);
          this.#session.lost(to, attach);
          // Its socket may well live, and it waits for us: it is told to attach again (A5). If that fails too its object is
          // in such a state that its sockets go with it.
          const session_id = this.#session.session_id();
          if (session_id === undefined) return;
          const told = this.#agent(to).deliver(attach, [errorLine({ reason: "relay_lost", session_id })]);
          await told.catch((cause) =>
            console.warn(JSON.stringify({ event: "relay_lost_untold", session_id, cause: String(cause) })),
          );
        },
      ),
    );
  }

  #agent(side: Side): DurableObjectStub<AgentObject> {
    let stub = this.#agents.get(side);
    if (stub === undefined) {
      stub = this.#session.agent(side);
      this.#agents.set(side, stub);
    }
    return stub;
  }
}
