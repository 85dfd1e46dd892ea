// What a busy agent keeps of the tasks that wait for their turn. The session is real, its wire is the test.
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { ClientSession } from "../../protocol/session/client.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { noop } from "../../sdk/typescript/src/deferred.ts";
import { Handlers } from "../../sdk/typescript/src/handlers.ts";
import { LiveSession } from "../../sdk/typescript/src/live-session.ts";
import { mint } from "../../sdk/typescript/src/mint.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Of so many inputs those that are still in memory. */
async function kept(inputs: WeakRef<object>[]): Promise<number> {
  // What was looked at in one turn of the event loop is kept until its end.
  await turn();
  collectGarbage();
  return inputs.filter((input) => input.deref() !== undefined).length;
}

class Work {
  readonly session: LiveSession;
  readonly #session_id = mint();
  #seq = 0;

  constructor(handlers: Handlers) {
    const offer = { id: mint(), session_id: this.#session_id, from: "planner", to: "analyst" };
    const core = ClientSession.accept({ type: "SESSION_INIT", ...offer, data: { capabilities: [] } }, mint);
    const host = {
      handlers,
      journal: undefined,
      random: Math.random,
      wake: noop,
      tell: noop,
      opened: noop,
      ended: noop,
    };
    this.session = new LiveSession(core, host);
    this.session.lines();
    const data = { epoch: "first", peer: "planner", capabilities: [] };
    const answer = { id: mint(), session_id: this.#session_id, in_reply_to: offer.id, limit: limits.windowMessages };
    this.session.receive({ type: "SESSION_ACCEPT", ...answer, data });
  }

  #head() {
    return { id: mint(), session_id: this.#session_id, seq: ++this.#seq, from: "planner" };
  }

  ask(): { task_id: string; input: WeakRef<object> } {
    const [task_id, input] = [mint(), { text: "long" }];
    const data = { task_id, capability: "summarize", input };
    this.session.receive({ type: "TASK_REQUEST", ...this.#head(), data });
    return { task_id, input: new WeakRef(input) };
  }

  cancel(task_id: string): void {
    this.session.receive({ type: "TASK_CANCEL", ...this.#head(), data: { task_id } });
  }
}

const busy = () => {
  const handlers = new Handlers();
  handlers.add("summarize", () => new Promise(noop), { max_concurrency: 1 });
  new Work(handlers).ask();
  return handlers;
};
const young = () => new Handlers();
/** More of them are let go of. */
const keptMax = 64;

test.for([
  ["a busy performer", busy],
  ["a handler that is not there yet", young],
] as const)("what waits for %s is not kept beyond its cancel, or its session's end", async ([, handlersOf]) => {
  const handlers = handlersOf();
  const stays = new Work(handlers).ask();
  const cancelled: WeakRef<object>[] = [];
  const work = new Work(handlers);
  for (let i = 0; i < 500; i++) {
    const { task_id, input } = work.ask();
    work.cancel(task_id);
    cancelled.push(input);
  }
  expect(await kept(cancelled)).toBeLessThan(keptMax);
  const left: WeakRef<object>[] = [];
  for (let i = 0; i < 5; i++) {
    const gone = new Work(handlers);
    for (let k = 0; k < 100; k++) left.push(gone.ask().input);
    gone.session.end({ reason: "closed" });
  }
  expect(await kept(left)).toBeLessThan(keptMax);
  expect(stays.input.deref()).toBeDefined();
});
