// The client half as the vectors see it: steps are done, answers are plain values. Both the writer and the test go through here.
import { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import { decodeBrokerFrame } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope, FromBroker, WorkType } from "../../protocol/wire/envelope.ts";
import type { Facts, HeardEvent, Memory, SessionCase, Start, Step } from "./session-steps.ts";

/** What the application hears, without what the envelope of the same step says already. */
export function heard(event: ClientEvent): HeardEvent {
  switch (event.kind) {
    case "work":
      return { kind: "work", seq: event.envelope.seq };
    case "fault":
      return { kind: "fault", reason: event.fault.data.reason };
    case "unheard":
      return { kind: "unheard", requests: event.requests.map((data) => JSON.parse(data)) };
    case "ended":
      return { kind: "ended", reason: event.reason };
    default:
      return event;
  }
}

export function factsOf(half: ClientSession): Facts {
  const { state, peer, backlog, paused, oldestInFlight, owesReceipt, awaited } = half;
  return {
    state,
    peer,
    backlog: backlog.messages,
    paused,
    oldest_in_flight: oldestInFlight ?? null,
    owes_receipt: owesReceipt,
    awaits: awaited !== undefined,
  };
}

function memoryOf(half: ClientSession): Memory {
  const { session_id: _, lines, isClosing, ...rest } = half.remembered;
  return { ...rest, lines: lines.map((line) => JSON.parse(line)), is_closing: isClosing };
}

/** One envelope, as it would have come over the wire. */
export function read(envelope: Record<string, unknown>): BrokerEnvelope {
  const [decoded] = decodeBrokerFrame(JSON.stringify(envelope));
  if (decoded?.ok) return decoded.envelope;
  throw new Error(`no envelope of the broker's: ${JSON.stringify(decoded?.fault)} ${JSON.stringify(envelope)}`);
}

export class Half {
  readonly core: ClientSession;
  readonly #ids: string[];

  constructor(start: Start, ids: readonly string[]) {
    this.#ids = [...ids];
    this.core = this.#begin(start);
  }

  /** Ids that nobody asked for. */
  get idsLeft(): number {
    return this.#ids.length;
  }

  #begin(start: Start): ClientSession {
    const mint = (): string => {
      const id = this.#ids.shift();
      if (id === undefined) throw new Error("the half asks for more ids than the vector has");
      return id;
    };
    if (start.as === "offer") {
      const { session_id, to, metadata, capability, ttl_ms } = start;
      const more = { ...(capability !== undefined && { capability }), ...(ttl_ms !== undefined && { ttl_ms }) };
      return ClientSession.offer(session_id, to, metadata, mint, more);
    }
    if (start.as === "accept") return ClientSession.accept(read(start.offer) as FromBroker<"SESSION_INIT">, mint);
    if (start.as === "recover") return ClientSession.recover(start.session_id, start.peer, mint);
    const { session_id, peer, epoch, taken, stored, is_closing: isClosing } = start;
    const lines = start.lines.map((line) => JSON.stringify(line));
    return ClientSession.recall({ session_id, peer, epoch, taken, stored, lines, isClosing }, mint);
  }

  /** Does a step; what comes of it is in the step that is returned, whatever was expected. */
  do(step: Step): Step {
    const { core } = this;
    switch (step.do) {
      case "connected":
        core.connected();
        return step;
      case "reattach":
        core.reattach();
        return step;
      case "take":
        core.take(step.seq);
        return step;
      case "lines":
        return { ...step, lines: core.lines(step.receipts).map((line) => JSON.parse(line)) };
      case "receive":
        return { ...step, events: core.receive(read(step.envelope)).map(heard) };
      case "send": {
        const { type, id, data, in_reply_to, traceparent } = step;
        const more = { ...(in_reply_to && { in_reply_to }), ...(traceparent && { traceparent }) };
        return { ...step, seq: core.sendText(type as WorkType, id, JSON.stringify(data), more) };
      }
      case "memory":
        return { do: "memory", ...memoryOf(core) };
      case "facts":
        return { do: "facts", ...factsOf(core) };
    }
  }
}

/** The same vector, with what the core does now. */
export function replay({ ids, start, steps, ...rest }: SessionCase): SessionCase & { idsLeft: number } {
  const half = new Half(start, ids);
  const done = steps.map((step) => half.do(step));
  return { ...rest, ids, start, steps: done, idsLeft: half.idsLeft };
}
