// The whole suite for brokers: every check on connections of its own, one after the other; afterwards nothing is left open.
import { type Check, chosen, judge, type Verdict } from "../check.ts";
import { connections } from "./connections.ts";
import { sessions } from "./sessions.ts";
import { ack, close, recover, Stage, type Stagehands } from "./stage.ts";
import { streamChecks } from "./streams.ts";
import { tasks } from "./tasks.ts";

export const brokerChecks: readonly Check<Stage>[] = [...connections, ...sessions, ...streamChecks, ...tasks];

export interface BrokerSuite extends Stagehands {
  /** Rules, or parts of titles: the checks of any of them. */
  only?: readonly string[] | undefined;
  slow?: boolean;
  told?: (verdict: Verdict) => void;
}

/** Closes every session that the two agents have: the checks leave many, and an agent may have 1000. */
async function sweep(hands: Stagehands): Promise<void> {
  const stage = new Stage(hands);
  try {
    const [a, b] = [await stage.dial("a"), await stage.dial("b")];
    const ids = new Set<string>();
    for (const peer of [a, b]) {
      peer.say({ type: "REGISTER", id: crypto.randomUUID(), data: {} });
      for (const { session_id } of (await peer.next("REGISTER_ACK")).data.sessions) ids.add(session_id);
    }
    for (const session_id of ids) {
      const [mine, theirs] = [recover(session_id), recover(session_id)];
      a.say(mine);
      b.say(theirs);
      const [left, right] = [await a.next("SESSION_RESUMED"), await b.next("SESSION_RESUMED")];
      if (left.data.outcome !== "resumed" || right.data.outcome !== "resumed") continue;
      a.say(close(session_id, left.data.received + 1));
      // Everything to either side is done, whatever it is.
      for (const peer of [a, b]) {
        await peer.settled();
        const seqs = peer.heard.map((one) => ("seq" in one && one.session_id === session_id ? one.seq : 0));
        peer.say(ack(session_id, Math.max(0, ...seqs)));
      }
    }
  } finally {
    stage.end();
  }
}

/** Makes the checks. Throws Missing when the agents cannot connect at all. */
export async function runBrokerSuite(suite: BrokerSuite): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const check of chosen(brokerChecks, suite.only)) {
    const verdict =
      check.slow === true && suite.slow !== true
        ? ({ ...check, result: "left out", detail: "slow: --slow makes it", seconds: 0 } as const)
        : await judge(check, async (run) => {
            const stage = new Stage(suite);
            try {
              await run(stage);
            } finally {
              stage.end();
            }
          });
    verdicts.push(verdict);
    suite.told?.(verdict);
  }
  await sweep(suite);
  return verdicts;
}
