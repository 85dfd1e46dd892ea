// resume10kMs: ten thousand messages wait in a sender's outboxes, and its socket is cut. Milliseconds from the cut until all of them
// have been taken by the receiver's code, and the sender knows all of them stored: with the reconnect's random wait (0–100 ms),
// the handshake, REGISTER and the resuming in it. The median of three.
import type { Broker } from "../scripts/broker/broker.ts";
import { Failure } from "../scripts/failure.ts";
import { Child } from "./child.ts";
import { dialsOf } from "./places.ts";
import type { ResumeJob } from "./resume-client.ts";

const rounds = 3;

export async function measureResume(broker: Broker, tell: (line: string) => void): Promise<number> {
  const dials = await dialsOf(broker);
  const child = new Child("./resume-client.ts");
  const job: ResumeJob = { dials, messages: 10_000, payloadBytes: 512 };
  const took: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      let cut = Promise.resolve(0);
      const ms = await child.ask<number>("resume", job, () => {
        cut = broker.edge.cut({ commonName: "sender", upgraded: true });
      });
      if ((await cut) !== 1) throw new Failure(`${await cut} sockets were cut, not one.`);
      tell(`10,000 messages after a cut: ${Math.round(ms)} ms`);
      took.push(ms);
    }
  } finally {
    child.end();
  }
  return Math.round(took.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN);
}
