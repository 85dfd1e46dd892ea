// The documents say what the code does: the page of errors, the numbers of the limits, every frame of the example.
import { describe, expect, it } from "vitest";
import errorsMd from "../../docs/ERRORS.md?raw";
import protocolMd from "../../docs/PROTOCOL.md?raw";
import { decodeBrokerFrame, decodeClientLine } from "../../protocol/wire/codec.ts";
import { brokerEnvelopes, clientEnvelopes } from "../../protocol/wire/envelope.ts";
import { closeCodes, errors } from "../../protocol/wire/errors.ts";
import { announcedLimits, limits } from "../../protocol/wire/limits.ts";
import { errorsPage } from "../../scripts/docs/errors-page.ts";

const rule = (id: string): string => {
  const [, text] = protocolMd.split(`\n**${id}.** `);
  return text?.split("\n\n")[0] ?? "";
};

describe("docs/ERRORS.md", () => {
  it("[X1] is the table of the code (run node scripts/docs/errors.ts)", () => {
    expect(errorsMd).toBe(errorsPage());
    for (const reason of Object.keys(errors)) expect(errorsMd).toMatch(new RegExp(`^\\| \`${reason}\` +\\|`, "m"));
  });

  it("[X3] only three reasons close a connection", () => {
    const closing = Object.entries(errors).filter(([, entry]) => "closes" in entry);
    expect(closing.map(([reason]) => reason)).toEqual(["frame_too_large", "too_many_faults", "flow_control_abuse"]);
  });
});

describe("docs/PROTOCOL.md", () => {
  const l = limits;
  it.each([
    ["L1", [l.envelopeBytesMax]],
    ["L2", [l.frameBytesMax]],
    ["L3", [l.frameEnvelopesMax]],
    ["L4", [l.depthMax]],
    ["L5", [l.windowMessages]],
    ["L6", [l.windowBytes]],
    ["L7", [l.pauseAtShare, l.resumeAtShare]],
    ["L8", [l.flowControlStrikesMax]],
    ["L9", [l.openTasksMax]],
    ["L10", [l.openSessionsMax]],
    ["L11", [l.capabilitiesMax]],
    ["L12", [l.offerMs]],
    ["L13", [l.sessionIdleMs]],
    ["L14", [l.heartbeatIntervalMs, l.heartbeatTimeoutMs]],
    ["L15", [l.ackStallMs]],
    ["L28", [l.deliveryStallMs]],
    ["L29", [l.lookupsPerSecond, l.lookupsBurst]],
    ["L16", [l.reconnectBaseMs, l.reconnectMaxMs]],
    ["L18", [l.deadlineMsMax]],
    ["L19", [l.deadlineGraceMs]],
    ["L20", [l.cancelGraceMs]],
    ["L21", [l.offerTtlMsMax]],
    ["L22", [l.offersMax]],
    ["L23", [l.framesPerSecond, l.framesBurst, l.rateWarningEveryMs, l.rateWarningsMax, l.rateWarningsWithinMs]],
    ["L26", [l.redriveRowsMax]],
    ["L27", [l.tombstoneMs]],
    ["L30", [l.deliveredQuietMs]],
  ])(
    "[L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12, L13, L14, L15, L16, L18, L19, L20, L21, L22, L23, L26, L27, L30] %s has the number of the code",
    (id, numbers) => {
      const named = rule(id).match(/\d+(\.\d+)?/g);
      for (const number of numbers) expect(named).toContain(String(number));
    },
  );

  it("[R3] the limits that REGISTER_ACK announces are named, and so are all types", () => {
    for (const name of Object.keys(announcedLimits)) expect(rule("R3")).toContain(`\`${name}\``);
    for (const type of [...Object.keys(clientEnvelopes), ...Object.keys(brokerEnvelopes)]) {
      expect(protocolMd).toMatch(new RegExp(`\\| (PAUSE, )?${type}(, RESUME)? +\\|`));
    }
  });

  it("[C5] names every close code of the code, and no other", () => {
    const named = [...protocolMd.matchAll(/^\| (4\d\d\d) +\|.*\| (final|reconnect) +\|$/gm)];
    expect(named.map(([, code]) => Number(code))).toEqual(Object.values(closeCodes));
    for (const [, code, then] of named) expect(then).toBe(Number(code) < 4500 ? "final" : "reconnect");
  });

  it("[E1] every frame of the example is one", () => {
    let speaker = "";
    let frames = 0;
    for (const line of protocolMd.split("\n")) {
      const [, mark, json] = /^(?:\w+ ([<>])| {9}) (\{.*\})$/.exec(line) ?? [];
      if (json === undefined) continue;
      speaker = mark ?? speaker;
      const [decoded] = speaker === ">" ? [decodeClientLine(json)] : decodeBrokerFrame(json);
      expect(decoded, json).toMatchObject({ ok: true });
      // Nothing in it that the schemas would drop (E4).
      if (decoded?.ok) expect(decoded.envelope).toEqual(JSON.parse(json));
      frames++;
    }
    expect(frames).toBeGreaterThan(20);
  });
});
