// A small frame must not lead to much: what asks for the same again and again within one frame gets it once.
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { memories } from "./link.ts";
import { errorsOf, Raw, said } from "./raw.ts";

const many = limits.frameEnvelopesMax;
const times = (make: () => object): object[] => Array.from({ length: many }, make);

describe.each(memories)("one frame that asks often (evicting: $evicting)", (memory) => {
  it("[N3] SESSION_INIT: the offer goes out once", () => {
    const link = new Raw(memory);
    link.say(link.a, ...times(() => link.of("SESSION_INIT", { to: "analyst" })));
    expect(said(link.b, "SESSION_INIT")).toHaveLength(1);
    expect(errorsOf(link.a)).toEqual([]);
  });

  it("[A6] SESSION_RESUME: each is answered, what waits is sent once, after the last answer", () => {
    const link = Raw.accepted(memory);
    link.say(link.a, ...link.messages(1, 100));
    link.b.got = [];
    link.say(link.b, ...times(() => link.resume(0, 1, 1)));
    expect(said(link.b, "SESSION_RESUMED")).toHaveLength(many);
    expect(said(link.b, "MESSAGE").map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(link.b.got.findLastIndex(({ type }) => type === "SESSION_RESUMED")).toBe(many - 1);
  });

  it("[A6, T3] work that this very frame led to is sent at most twice", () => {
    const link = Raw.accepted(memory);
    const task_id = "01a1ee56-5e00-7a11-8a11-000000000001";
    const request = (seq: number) => link.of("TASK_REQUEST", { seq, data: { task_id, capability: "c", input: 1 } });
    link.say(link.a, request(1));
    link.say(link.b, link.of("TASK_RESPONSE", { seq: 1, data: { task_id, status: "succeeded", result: 1 } }));
    link.a.got = [];
    link.say(
      link.a,
      ...Array.from({ length: 100 }, (_, i) => request(i + 2)),
      ...times(() => link.resume(1, 1, 102)).slice(0, 100),
    );
    expect(said(link.a, "SESSION_RESUMED")).toHaveLength(100);
    expect(said(link.a, "TASK_RESPONSE")).toHaveLength(200);
  });
});
