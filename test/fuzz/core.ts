// The broker's core under fuzz: sessions in every state get frames of both sides and of a stranger, lose their memory and their
// connections, and time passes. It answers what the documents say, and goes on.
import fc from "fast-check";
import { limits } from "../../protocol/wire/limits.ts";
import { CoreLink } from "./core-link.ts";
import { type StateName, startOf, stateNames } from "./core-states.ts";
import { type Frame, frameOf, textOfFrame } from "./frames.ts";
import { must } from "./oracle.ts";
import { clientSamples } from "./samples.ts";
import type { Target } from "./target.ts";

type Step =
  | { do: "frame"; by: 0 | 1 | 2; direct: boolean; frame: Frame }
  | { do: "reconnect" | "lose"; by: 0 | 1 }
  | { do: "evict" }
  | { do: "pass"; ms: number };

interface Case {
  state: StateName;
  steps: Step[];
}

const work = ["MESSAGE", "TASK_REQUEST", "TASK_PROGRESS", "TASK_RESPONSE", "TASK_CANCEL", "MESSAGE_ACK"];
const ofSessions = [...work, ...work, "SESSION_CLOSE", "PAUSE", "RESUME", "SESSION_RESUME", "SESSION_RESUME"];
const types = [...ofSessions, ...ofSessions, ...Object.keys(clientSamples)];

const side = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant("frame" as const),
      by: fc.constantFrom<0 | 1 | 2>(0, 0, 0, 0, 1, 1, 1, 1, 2),
      direct: fc.constantFrom(false, false, false, true),
      frame: frameOf(types),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("reconnect" as const, "lose" as const), by: side }) },
  { weight: 2, arbitrary: fc.constant({ do: "evict" } as const) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 5_000, limits.offerMs, limits.sessionIdleMs),
    }),
  },
);

/** What the case says, frame by frame, to whoever wants to hear it. */
function play({ state, steps }: Case, hear: (by: 0 | 1 | 2, text: string) => void): void {
  const link = new CoreLink(startOf(state));
  for (const one of steps) {
    if (one.do === "evict") link.evict();
    else if (one.do === "pass") {
      link.now += one.ms;
      link.wake();
    } else if (one.do === "frame") {
      const text = textOfFrame(one.frame, clientSamples, link.moment(one.by));
      hear(one.by, text);
      link.give(one.by, text, one.direct);
    } else if (one.do === "reconnect") link.speaker(one.by).reconnect();
    else link.speaker(one.by).up = false;
  }
  // Whatever it went through, it can be restored, and its end is one of the table's.
  link.evict();
  link.now += limits.sessionIdleMs;
  link.expire();
  const ended = link.store.record?.state;
  must(ended === undefined || ["closed", "rejected", "expired"].includes(ended), `a session that stays ${ended}`);
}

const names = ["initiator", "responder", "stranger"];

export const core: Target<Case> = {
  cases: fc.record({ state: fc.constantFrom(...stateNames), steps: fc.array(step, { minLength: 1, maxLength: 12 }) }),
  run(one) {
    let inputs = 0;
    let chars = 0;
    play(one, (_, text) => {
      inputs++;
      chars += text.length;
    });
    return { inputs, chars };
  },
  show(one) {
    const texts = [`state ${one.state}; ${one.steps.map((step) => step.do).join(", ")}`];
    try {
      play(one, (by, text) => texts.push(`${names[by]}: ${text}`));
    } catch {
      // It is shown because it fails.
    }
    return texts;
  },
};
