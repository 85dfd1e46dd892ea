// A client half that writes down what is done to it, and what it answers, as a vector. Whoever drives it notices nothing.
import { ClientSession } from "../../protocol/session/client.ts";
import type { Remembered } from "../../protocol/session/client-events.ts";
import { encode } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import type { Halves } from "../simulation/world.ts";
import { factsOf, heard } from "./half.ts";
import type { SessionCase, Start, Step } from "./session-steps.ts";

type Written = Omit<SessionCase, "name" | "rules">;
type Call = (...args: never[]) => unknown;

const plain = (envelope: BrokerEnvelope): Record<string, unknown> => JSON.parse(encode(envelope));

/** The step that a call of a method was, or undefined: it is none. */
function stepOf(name: PropertyKey, args: readonly unknown[], answer: unknown): Step | undefined {
  switch (name) {
    case "connected":
    case "reattach":
      return { do: name };
    case "take":
      return { do: "take", seq: Number(args[0]) };
    case "lines":
      return {
        do: "lines",
        receipts: args[0] === "later" ? "later" : "now",
        lines: (answer as string[]).map((line) => JSON.parse(line)),
      };
    case "receive":
      return {
        do: "receive",
        envelope: plain(args[0] as BrokerEnvelope),
        events: (answer as ReturnType<ClientSession["receive"]>).map(heard),
      };
    case "sendText": {
      const [type, id, data, more = {}] = args as [string, string, string, { in_reply_to?: string }?];
      return { do: "send", type, id, data: JSON.parse(data), ...more, seq: Number(answer) };
    }
    default:
      return undefined;
  }
}

/** Nothing to send twice in a row says nothing new. */
const isIdle = (step: Step | undefined): boolean => step?.do === "lines" && step.lines.length === 0;

export class Recording {
  readonly written: Written;
  readonly half: ClientSession;

  /** @param factsEvery after so many steps it is written down how the half stands */
  constructor(start: Start, mint: () => string, make: (mint: () => string) => ClientSession, factsEvery = 12) {
    const ids: string[] = [];
    const steps: Step[] = [];
    const core = make(() => {
      const id = mint();
      ids.push(id);
      return id;
    });
    this.written = { ids, start, steps };
    this.half = new Proxy(core, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          const answer: unknown = (member as Call).apply(target, args as never[]);
          const step = stepOf(name, args, answer);
          if (step !== undefined && !(isIdle(step) && isIdle(steps.at(-1)))) {
            steps.push(step);
            if (steps.length % factsEvery === 0) steps.push({ do: "facts", ...factsOf(core) });
          }
          return answer;
        };
      },
    });
  }
}

/** Halves that are written down. */
export class RecordingHalves implements Halves {
  readonly recordings: Recording[] = [];

  #kept(recording: Recording): ClientSession {
    this.recordings.push(recording);
    return recording.half;
  }

  offer(session_id: string, to: string, mint: () => string): ClientSession {
    const make = (own: () => string) => ClientSession.offer(session_id, to, undefined, own);
    return this.#kept(new Recording({ as: "offer", session_id, to }, mint, make));
  }

  accept(offer: Parameters<Halves["accept"]>[0], mint: () => string): ClientSession {
    const make = (own: () => string) => ClientSession.accept(offer, own);
    return this.#kept(new Recording({ as: "accept", offer: plain(offer) }, mint, make));
  }

  /** Not written down: who recalls needs more than its half, and has vectors of its own (recalled.json). */
  recall(remembered: Remembered, mint: () => string): ClientSession {
    return ClientSession.recall(remembered, mint);
  }

  recover(session_id: string, peer: string, mint: () => string): ClientSession {
    const make = (own: () => string) => ClientSession.recover(session_id, peer, own);
    return this.#kept(new Recording({ as: "recover", session_id, peer }, mint, make));
  }
}
