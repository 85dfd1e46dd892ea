// What is metered: every accepted message once, in the write that accepts it, whatever happens to the broker's memory.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { Link, memories, mint } from "./link.ts";
import { Raw } from "./raw.ts";

const usageOf = (link: Link) => link.store.saved()?.cursors?.usage;
const reportsOf = (link: Link) => link.log.flatMap((effect) => (effect.do === "index" ? [effect.report] : []));

describe.each(memories)("usage (evicting: $evicting)", (options) => {
  it("counts messages, bytes and tasks of both sides; duplicates, gaps and refusals before acceptance count nothing", () => {
    const link = Raw.accepted(options);
    const task_id = mint();
    const ask = (seq: number) => link.of("TASK_REQUEST", { seq, data: { task_id, capability: "c", input: 1 } });
    link.say(link.a, ...link.messages(1, 3), link.message(2), link.message(9));
    link.say(link.a, ask(4), ask(5));
    link.say(link.b, link.message(1));
    // Six of the planner's were taken (one of them the repeated request), one of the analyst's.
    expect(usageOf(link)).toMatchObject({ messages: 6, tasks: 1 });
    const contents = 4 * JSON.stringify({ content: 1 }).length;
    const requests = 2 * JSON.stringify({ task_id, capability: "c", input: 1 }).length;
    expect(usageOf(link)?.bytes).toBe(contents + requests);
  });

  it("is the same after cuts and crashes: what is sent again is not metered again", () => {
    const link = Link.open(options);
    for (let i = 1; i <= 300; i++) {
      link.a.session?.send("MESSAGE", mint(), { content: 1 });
      if (i % 30 === 15) link.a.up = false;
      if (i % 30 === 20) link.a.reconnect();
      if (i % 50 === 0) link.evict();
      if (i % 7 === 0) link.run();
    }
    link.a.session?.send("SESSION_CLOSE", mint(), {});
    link.run();
    expect(usageOf(link)).toEqual({ messages: 300, bytes: 300 * 13, tasks: 0 });
    expect(reportsOf(link).at(-1)).toMatchObject({ messages: 300, bytes: 300 * 13 });
  });

  it("is reported with every change of state, in reports whose numbers and totals only grow", () => {
    const link = Link.open(options);
    for (let i = 0; i < 3; i++) link.b.session?.send("MESSAGE", mint(), { content: 1 });
    link.run();
    link.a.session?.send("SESSION_CLOSE", mint(), {});
    link.run();
    const reports = reportsOf(link);
    expect(reports.map(({ messages }) => messages)).toEqual([0, 3, 3]);
    expect(reports.map(({ number }) => number)).toEqual(reports.map(({ number }) => number).sort((x, y) => x - y));
  });

  it("of a busy session is reported on its way, and again until the index answers", () => {
    const link = Link.open(options);
    link.indexes = false;
    for (let i = 0; i < limits.usageReportMessages; i++) {
      link.a.session?.send("MESSAGE", mint(), { content: 1 });
      if (i % 500 === 499) link.run();
    }
    link.run();
    expect(reportsOf(link).at(-1)?.messages).toBe(limits.usageReportMessages);
    const told = reportsOf(link).length;
    link.now += limits.indexRetryMs;
    link.wake();
    expect(reportsOf(link)).toHaveLength(told + 1);
  });
});
