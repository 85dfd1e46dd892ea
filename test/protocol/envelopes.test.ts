// Envelopes against their schemas: what is required, what is dropped, what passes through untouched, who may send what.
import { describe, expect, it } from "vitest";
import { decodeBrokerFrame, decodeClientLine, encode } from "../../protocol/wire/codec.ts";
import { brokerEnvelopes, clientEnvelopes, isSessionType, isWork } from "../../protocol/wire/envelope.ts";
import { mint } from "./link.ts";

const [id, session_id, task_id] = [mint(), mint(), mint()];
const decode = (envelope: object) => decodeClientLine(JSON.stringify(envelope));
const reasonOf = (envelope: object) => {
  const decoded = decode(envelope);
  return decoded.ok ? "ok" : decoded.fault.reason;
};
const work = { id, session_id, seq: 1 };

/** One good envelope of each type that an agent may send. */
const good: { [K in keyof typeof clientEnvelopes]: object } = {
  MESSAGE: { ...work, data: { content: null } },
  TASK_REQUEST: { ...work, data: { task_id, capability: "a.b-c_1", input: {} } },
  TASK_PROGRESS: { ...work, data: { task_id, progress: 0.5 } },
  TASK_RESPONSE: { ...work, data: { task_id, status: "failed", error: { reason: "r", message: "m" } } },
  TASK_CANCEL: { ...work, data: { task_id } },
  SESSION_CLOSE: work,
  MESSAGE_ACK: { session_id, ack: 0 },
  PAUSE: {},
  RESUME: { session_id },
  HEARTBEAT: {},
  REGISTER: { id, data: {} },
  CAPABILITY_ANNOUNCE: { id, data: { capabilities: [{ name: "x", input_schema: { type: "object" } }] } },
  AGENT_QUERY: { id },
  SESSION_INIT: { id, session_id, to: "analyst" },
  SESSION_ACCEPT: { id, session_id },
  SESSION_REJECT: { id, session_id },
  SESSION_RESUME: { id, session_id, data: { epoch: "e", received: 0, first: 1, next: 1 } },
};

describe("envelopes", () => {
  it.each(Object.entries(good))("[E1] %s is taken with what Types requires, and not without", (type, envelope) => {
    expect(decode({ type, ...envelope })).toMatchObject({ ok: true, envelope: { type } });
    for (const name of Object.keys(envelope)) {
      const { [name]: _, ...rest } = envelope as Record<string, unknown>;
      const optional = ["PAUSE", "RESUME"].includes(type);
      expect(reasonOf({ type, ...rest }), `${type} without ${name}`).toBe(optional ? "ok" : "invalid_envelope");
    }
  });

  it.each([
    ["an agent in capitals", { type: "SESSION_INIT", id, session_id, to: "Analyst" }],
    ["an agent of 65", { type: "SESSION_INIT", id, session_id, to: "a".repeat(65) }],
    ["an agent that starts with a dot", { type: "SESSION_INIT", id, session_id, to: ".a" }],
    ["an upper-case UUID", { type: "SESSION_ACCEPT", id: id.toUpperCase(), session_id }],
    [
      "a capability of 129",
      { ...good.TASK_REQUEST, type: "TASK_REQUEST", data: { task_id, capability: "c".repeat(129), input: 1 } },
    ],
  ])("[E2] %s is no name", (_, envelope) => {
    expect(reasonOf(envelope)).toBe("invalid_envelope");
  });

  it("[E2] the longest names are taken", () => {
    expect(reasonOf({ type: "SESSION_INIT", id, session_id, to: `0${"a".repeat(63)}` })).toBe("ok");
    const data = { task_id, capability: "c".repeat(128), input: 1 };
    expect(reasonOf({ ...work, type: "TASK_REQUEST", data })).toBe("ok");
  });

  it.each([0, -1, 1.5, "1", null, 2 ** 53])("[E6] a seq of %s is refused", (seq) => {
    expect(reasonOf({ ...work, type: "MESSAGE", data: { content: 1 }, seq })).toBe("invalid_envelope");
  });

  it("[E6] the issues say where, at most eight", () => {
    const capabilities = Array.from({ length: 20 }, () => ({ name: "No" }));
    const decoded = decode({ type: "REGISTER", id, data: { capabilities } });
    if (decoded.ok) throw new Error("it was taken");
    expect(decoded.fault.issues).toHaveLength(8);
    expect(decoded.fault.issues?.[0]).toMatchObject({ path: "data.capabilities.0.name", message: expect.any(String) });
    expect(decoded.fault.id).toBe(id);
  });

  it("[R6, L11] 64 capabilities are taken, 65 are not; one is refused for what it may not be", () => {
    const list = (count: number) => ({ capabilities: Array.from({ length: count }, (_, i) => ({ name: `c${i}` })) });
    expect(reasonOf({ type: "REGISTER", id, data: list(64) })).toBe("ok");
    expect(reasonOf({ type: "REGISTER", id, data: list(65) })).toBe("invalid_envelope");
    for (const wrong of [
      { max_concurrency: 0 },
      { version: "v".repeat(65) },
      { input_schema: [] },
      { output_schema: "s" },
    ]) {
      const data = { capabilities: [{ name: "c", ...wrong }] };
      expect(reasonOf({ type: "CAPABILITY_ANNOUNCE", id, data }), JSON.stringify(wrong)).toBe("invalid_envelope");
    }
  });

  it("[E4] unknown members are dropped, a client's own values pass with all their keys", () => {
    const line = `{"type":"MESSAGE","id":"${id}","session_id":"${session_id}","seq":1,"extra":1,"__proto__":{"admin":true},"data":{"other":2,"content":{"__proto__":{"admin":true},"constructor":1,"a":"\\ud800"}}}`;
    const decoded = decodeClientLine(line);
    if (!decoded.ok) throw new Error(decoded.fault.reason);
    expect(Object.keys(decoded.envelope).sort()).toEqual(["data", "id", "seq", "session_id", "type"]);
    expect(encode(decoded.envelope)).toContain('"content":{"__proto__":{"admin":true},"constructor":1,"a":"\\ud800"}');
    expect(encode(decoded.envelope)).not.toContain("other");
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect((decoded.envelope as { admin?: boolean }).admin).toBeUndefined();
  });

  it("[E4] numbers are doubles: more precise ones are rounded, what is beyond them is refused, not passed on as null", () => {
    const lineOf = (content: string) =>
      `{"type":"MESSAGE","id":"${id}","session_id":"${session_id}","seq":1,"data":{"content":${content}}}`;
    for (const [written, passedOn] of [
      ["9007199254740993", "9007199254740992"],
      ["0.1000000000000000055", "0.1"],
      ["1.7976931348623157e308", "1.7976931348623157e+308"],
      ["1e-400", "0"],
      ['"1e400"', '"1e400"'],
    ] as const) {
      const decoded = decodeClientLine(lineOf(`[${written}]`));
      if (!decoded.ok) throw new Error(`${written}: ${decoded.fault.reason}`);
      expect(encode(decoded.envelope)).toContain(`"content":[${passedOn}]`);
    }
    for (const written of ["1e400", "-1e400", '{"in":[1,{"it":1e309}]}', `1${"0".repeat(309)}`]) {
      const message = "a number beyond ±1.8e308: write it as a string";
      const fault = { reason: "invalid_envelope", id, session_id, issues: [{ path: "", message }] };
      expect(decodeClientLine(lineOf(written))).toEqual({ ok: false, fault });
    }
  });

  it("[E4, R6] a capability's schemas pass with all their keys", () => {
    const schema = '{"type":"object","__proto__":{"admin":true},"constructor":1}';
    const capability = `{"name":"c","input_schema":${schema},"output_schema":${schema}}`;
    const decoded = decodeClientLine(`{"type":"REGISTER","id":"${id}","data":{"capabilities":[${capability}]}}`);
    if (!decoded.ok) throw new Error(decoded.fault.reason);
    expect(encode(decoded.envelope)).toContain(capability);
    for (const wrong of ["[]", "null", "1", '"{}"']) {
      const data = `{"capabilities":[{"name":"c","input_schema":${wrong}}]}`;
      expect(decodeClientLine(`{"type":"REGISTER","id":"${id}","data":${data}}`).ok, wrong).toBe(false);
    }
  });

  it("[N2, A2] an epoch is no longer than what SESSION_RESUME may say of it", () => {
    for (const [length, ok] of [
      [64, true],
      [65, false],
    ] as const) {
      const epoch = "e".repeat(length);
      const accept = {
        ...good.SESSION_ACCEPT,
        in_reply_to: id,
        limit: 1,
        data: { epoch, peer: "a", capabilities: [] },
      };
      expect(decodeBrokerFrame(JSON.stringify({ type: "SESSION_ACCEPT", ...accept }))).toMatchObject([{ ok }]);
      const data = { outcome: "resumed", epoch, received: 0, delivered: 0 };
      const resumed = { ...good.SESSION_ACCEPT, type: "SESSION_RESUMED", in_reply_to: id, limit: 1, data };
      expect(decodeBrokerFrame(JSON.stringify(resumed))).toMatchObject([{ ok }]);
      const resume = { ...work, type: "SESSION_RESUME", data: { epoch, received: 0, first: 1, next: 1 } };
      expect(reasonOf(resume)).toBe(ok ? "ok" : "invalid_envelope");
    }
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("[E5] %s is no type", (type) => {
    expect(decodeClientLine(`{"type":"${type}"}`)).toEqual({ ok: false, fault: { reason: "unknown_type" } });
  });

  it("[E5] unknown types and those of the other direction are refused", () => {
    for (const type of [undefined, null, 7, "", "message", "HELLO"])
      expect(reasonOf({ type, id })).toBe("unknown_type");
    for (const type of Object.keys(brokerEnvelopes)) {
      if (!Object.hasOwn(clientEnvelopes, type)) expect(reasonOf({ type }), type).toBe("wrong_direction");
    }
    for (const type of Object.keys(clientEnvelopes)) {
      const [decoded] = decodeBrokerFrame(JSON.stringify({ type }));
      if (!Object.hasOwn(brokerEnvelopes, type))
        expect(decoded).toMatchObject({ fault: { reason: "wrong_direction" } });
    }
  });

  it("[E1] work is what has a seq, and belongs to a session", () => {
    const types = Object.keys(clientEnvelopes);
    expect(types.filter((type) => isWork({ type }))).toEqual(
      types.filter((type) => "seq" in good[type as keyof typeof good]),
    );
    for (const type of types) if (isWork({ type })) expect(isSessionType(type)).toBe(true);
    for (const type of ["HEARTBEAT", "REGISTER", "AGENT_QUERY", 7, undefined]) expect(isSessionType(type)).toBe(false);
  });
});
