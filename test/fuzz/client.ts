// Our own client half under fuzz: a broker that says anything its schemas allow. It never throws, tells the application work in
// order and once, and what it sends is always an envelope of ours.
import fc from "fast-check";
import { ClientSession } from "../../protocol/session/client.ts";
import type { ClientEvent } from "../../protocol/session/client-events.ts";
import { decodeBrokerFrame, decodeClientLine } from "../../protocol/wire/codec.ts";
import type { FromBroker } from "../../protocol/wire/envelope.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { mint } from "../protocol/link.ts";
import { anywhere } from "./codec.ts";
import { type Frame, frameOf, textOfFrame } from "./frames.ts";
import { must } from "./oracle.ts";
import { brokerSamples } from "./samples.ts";
import type { Target } from "./target.ts";

type Step =
  | { do: "frame"; frame: Frame }
  | { do: "send"; count: number }
  | { do: "take"; seq: number }
  | { do: "connected" | "reattach" | "lines" | "later" };

interface Case {
  from: "offering" | "accepting" | "ready" | "resuming";
  steps: Step[];
}

const session = ["SESSION_RESUMED", "SESSION_ACCEPT", "MESSAGE_ACK", "MESSAGE", "ERROR", "TASK_REQUEST", "PAUSE"];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("frame" as const),
      frame: frameOf([...session, ...session, ...Object.keys(brokerSamples)]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("send" as const), count: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("take" as const), seq: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("connected" as const, "reattach" as const, "lines", "later") }),
  },
) as fc.Arbitrary<Step>;

function sessionIn(from: Case["from"]): ClientSession {
  const { session_id, me, peer, epoch } = anywhere();
  if (from === "accepting") {
    const offer = { type: "SESSION_INIT", id: mint(), session_id, from: peer, data: { capabilities: [] } };
    return ClientSession.accept(offer as FromBroker<"SESSION_INIT">, mint);
  }
  const one = ClientSession.offer(session_id, peer, { by: me }, mint);
  one.lines();
  if (from === "offering") return one;
  const data = { epoch, peer, capabilities: [] };
  one.receive({
    type: "SESSION_ACCEPT",
    id: mint(),
    session_id,
    in_reply_to: mint(),
    limit: limits.windowMessages,
    data,
  });
  if (from === "resuming") one.connected();
  return one;
}

/** A client half, and what must hold of it after each step. */
class Watched {
  readonly session: ClientSession;
  #heard = 0;
  #ended = 0;

  constructor(from: Case["from"]) {
    this.session = sessionIn(from);
  }

  hear(events: ClientEvent[]): void {
    must(events.length <= 3, `${events.length} events of one envelope`);
    for (const event of events) {
      if (event.kind === "work") must(event.envelope.seq === ++this.#heard, `heard ${event.envelope.seq} out of order`);
      if (event.kind === "ended") must(++this.#ended === 1, "ended twice");
    }
  }

  say(receipts: "now" | "later"): void {
    const lines = this.session.lines(receipts);
    must(lines.length <= limits.frameEnvelopesMax, "a frame of too many lines");
    for (const line of lines) {
      const decoded = decodeClientLine(line);
      must(decoded.ok, "our client said what is no envelope", line);
    }
  }

  check(): void {
    const { backlog, oldestInFlight } = this.session;
    must(backlog.messages >= 0 && backlog.bytes >= 0, `a backlog of ${JSON.stringify(backlog)}`);
    must(oldestInFlight === undefined || oldestInFlight >= 1, `in flight from ${oldestInFlight}`);
  }
}

function play({ from, steps }: Case, hear: (text: string) => void): void {
  const watched = new Watched(from);
  const { session } = watched;
  const moment = anywhere();
  for (const one of steps) {
    if (one.do === "frame") {
      const text = textOfFrame(one.frame, brokerSamples, moment);
      hear(text);
      for (const decoded of decodeBrokerFrame(text)) if (decoded.ok) watched.hear(session.receive(decoded.envelope));
    } else if (one.do === "send") for (let i = 0; i < one.count; i++) session.send("MESSAGE", mint(), { content: i });
    else if (one.do === "take") session.take(one.seq);
    else if (one.do === "connected" || one.do === "reattach") session[one.do]();
    else watched.say(one.do === "later" ? "later" : "now");
    watched.check();
  }
  watched.say("now");
}

export const client: Target<Case> = {
  cases: fc.record({
    from: fc.constantFrom<Case["from"]>("offering", "accepting", "ready", "ready", "resuming", "resuming"),
    steps: fc.array(step, { minLength: 1, maxLength: 16 }),
  }),
  run(one) {
    let inputs = 0;
    let chars = 0;
    play(one, (text) => {
      inputs++;
      chars += text.length;
    });
    return { inputs, chars };
  },
  show(one) {
    const texts = [`from ${one.from}; ${one.steps.map((step) => step.do).join(", ")}`];
    try {
      play(one, (text) => texts.push(`broker: ${text}`));
    } catch {
      // It is shown because it fails.
    }
    return texts;
  },
};
