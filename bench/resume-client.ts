// Both ends of the resume measurement: a sender whose outboxes are full when its socket is cut, a receiver that keeps up.
import { connect, type Session } from "../sdk/typescript/src/index.ts";
import { serve } from "./child.ts";
import { type Dial, filesOf, sessionBetween } from "./lanes.ts";

export interface ResumeJob {
  dials: [Dial, Dial];
  messages: number;
  payloadBytes: number;
}

/** An outbox holds 8,192 messages (`limits.outboxMessagesMax`): ten thousand wait in those of two sessions of one connection. */
const sessionCount = 2;

/** Tells "cut" when the sender's socket is to be cut, and answers how many milliseconds it took from there. */
async function resume({ dials, messages, payloadBytes }: ResumeJob, tell: (said: string) => void): Promise<number> {
  const [from, to] = [await connect(filesOf(dials[0])), await connect(filesOf(dials[1]))];
  const payload = "x".repeat(payloadBytes);
  const all = Promise.withResolvers<void>();
  let arrived = 0;
  const sessions: Session[] = [];
  while (sessions.length < sessionCount) {
    const [session, accepted] = await sessionBetween(from, to);
    sessions.push(session);
    void (async () => {
      for await (const _ of accepted.messages()) if (++arrived === messages) all.resolve();
    })();
  }
  // All of it before anything else happens: what has left until the cut is what one turn of the event loop lets out.
  const receipts = Array.from({ length: messages }, (_, i) => sessions[i % sessionCount]?.send(payload));
  const started = performance.now();
  tell("cut");
  await Promise.all([...receipts, all.promise]);
  const tookMs = performance.now() - started;
  await Promise.all(sessions.map((session) => session.close()));
  await Promise.all([from.close(), to.close()]);
  return tookMs;
}

serve({ resume });
