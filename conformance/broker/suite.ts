// The whole suite for brokers: every check on connections of its own, one after the other; afterwards nothing is left open.
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import { type Check, chosen, judge, type Verdict } from "../check.ts";
import { sleep } from "../mailbox.ts";
import { attaching } from "./attaching.ts";
import { connections, lookups } from "./connections.ts";
import type { Peer } from "./peer.ts";
import { sessions } from "./sessions.ts";
import { ack, close, recover, Stage, type Stagehands } from "./stage.ts";
import { streams } from "./streams.ts";
import { tasks } from "./tasks.ts";

export const brokerChecks: readonly Check<Stage>[] = [
  ...connections,
  ...sessions,
  ...streams,
  ...attaching,
  ...tasks,
  ...lookups,
];

export interface BrokerSuite extends Stagehands {
  /** Rules, or parts of titles: the checks of any of them. */
  only?: readonly string[] | undefined;
  slow?: boolean;
  /** Whether all sessions of the two agents are closed afterwards. Default true. */
  sweeps?: boolean;
  told?: (verdict: Verdict) => void;
}

const drainMs = 50;
const drainsMax = 100;

/** Acknowledges whatever comes, closes as soon as the window lets it, and waits for the end. */
async function finish(session_id: string, a: Peer, b: Peer, seq: number): Promise<void> {
  let hasClosed = false;
  for (let i = 0; i < drainsMax; i++) {
    const [mine, theirs] = [a, b].map(({ heard }) =>
      heard.filter((one) => "session_id" in one && one.session_id === session_id),
    ) as [BrokerEnvelope[], BrokerEnvelope[]];
    if (mine.some(({ type }) => type === "SESSION_CLOSED") && theirs.some(({ type }) => type === "SESSION_CLOSED"))
      return;
    const limit = Math.max(...mine.map((one) => ("limit" in one ? (one.limit ?? 0) : 0)));
    if (!hasClosed && limit >= seq) a.say(close(session_id, seq));
    hasClosed ||= limit >= seq;
    a.say(ack(session_id, lastOf(mine)));
    b.say(ack(session_id, lastOf(theirs)));
    await sleep(drainMs);
  }
}

const lastOf = (heard: readonly BrokerEnvelope[]): number =>
  Math.max(0, ...heard.map((one) => ("seq" in one ? one.seq : 0)));

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
      await finish(session_id, a, b, left.data.received + 1);
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
  if (suite.sweeps !== false) await sweep(suite);
  return verdicts;
}
