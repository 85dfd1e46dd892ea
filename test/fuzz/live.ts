// A live socket under fuzz, through the real edge: frames that are text, binary, or text that is no UTF-8, on both paths and
// before REGISTER. Afterwards that connection or a fresh one works, and the bystanders have noticed nothing.
import fc from "fast-check";
import { type Finding, seedOf } from "./campaign.ts";
import { type Frame, frameOf, textOfFrame } from "./frames.ts";
import { LiveField } from "./live-field.ts";
import { messageOf, must } from "./oracle.ts";
import { brokerSamples, clientSamples } from "./samples.ts";

type Sent =
  | { as: "text"; frame: Frame }
  | { as: "binary"; frame: Frame }
  /** Bytes under a text frame's opcode. */
  | { as: "bytes"; bytes: Uint8Array };

interface Batch {
  how: "connect" | "unregistered" | "direct";
  sent: Sent[];
}

const samples = { ...brokerSamples, ...clientSamples };
const frame = frameOf([...Object.keys(clientSamples), ...Object.keys(clientSamples), ...Object.keys(brokerSamples)]);
const sent: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ as: fc.constant("text" as const), frame }) },
  { weight: 1, arbitrary: fc.record({ as: fc.constant("binary" as const), frame }) },
  { weight: 1, arbitrary: fc.record({ as: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 80 }) }) },
);
const batch: fc.Arbitrary<Batch> = fc.record({
  how: fc.constantFrom<Batch["how"]>("connect", "connect", "connect", "direct", "direct", "unregistered"),
  sent: fc.array(sent, { minLength: 8, maxLength: 48 }),
});

/** Beside what an envelope is answered with: agents that are listed, each with all that it announced. */
const listedChars = 64 * 2_048;

async function attack(field: LiveField, { how, sent }: Batch): Promise<void> {
  const socket = await field.attacker(how);
  const moment = field.moment();
  const before = socket.heardChars;
  let [lines, chars, listings] = [0, 0, 0];
  for (const one of sent) {
    const text =
      one.as === "bytes" ? Buffer.from(one.bytes).toString("latin1") : textOfFrame(one.frame, samples, moment);
    lines += Math.min(300, text.split("\n").length);
    chars += text.length;
    listings += text.match(/AGENT_QUERY|SESSION_INIT|RESUME/g)?.length ?? 0;
    if (one.as === "bytes") socket.send(one.bytes);
    else socket.send(one.as === "text" ? text : Buffer.from(text), one.as === "binary");
  }
  await field.fence(socket, how === "direct");
  const said = socket.heardChars - before;
  const allowed = 4_096 * (lines + 16) + 4 * chars + listings * listedChars;
  must(said <= allowed, `${said} characters said, ${allowed} are allowed`);
  await field.unharmed();
  socket.close();
  // A fresh one works, whatever became of the other.
  const fresh = await field.attacker("connect");
  await field.fence(fresh, false);
  must(fresh.closed === undefined, "a fresh connection was closed");
  fresh.close();
}

const batchesPerChunk = 50;

/** One chunk against a broker of its own, or with a path the one batch it leads to. Not made smaller: each try takes a broker. */
export async function runLiveChunk(
  seed: number,
  path: string | undefined,
  count: (inputs: number) => boolean,
): Promise<Finding | undefined> {
  const field = await LiveField.open();
  let enough = false;
  try {
    const property = fc.asyncProperty(batch, async (one) => {
      if (enough) return;
      await attack(field, one);
      enough = !count(one.sent.length);
    });
    const run = await fc.check(property, {
      seed,
      numRuns: batchesPerChunk,
      endOnFailure: true,
      ...(path !== undefined && { path }),
    });
    if (!run.failed || run.counterexample === null) return undefined;
    const [failing] = run.counterexample;
    const moment = field.moment();
    const texts = failing.sent.map((one) =>
      one.as === "bytes" ? Buffer.from(one.bytes).toString("hex") : textOfFrame(one.frame, samples, moment),
    );
    return {
      message: messageOf(run.errorInstance),
      seed,
      path: run.counterexamplePath ?? "",
      texts: [failing.how, ...texts],
    };
  } finally {
    await field.close();
  }
}

/** @param hear is told after each chunk how many inputs there were */
export async function liveCampaign(
  seed: number,
  inputs: number,
  hear: (sofar: number) => void = () => undefined,
): Promise<{ inputs: number; findings: Finding[] }> {
  const sum = { inputs: 0, findings: [] as Finding[] };
  for (let chunk = 0; sum.inputs < inputs && sum.findings.length < 3; chunk++) {
    const finding = await runLiveChunk(seedOf(seed, chunk), undefined, (ran) => {
      sum.inputs += ran;
      return sum.inputs < inputs;
    });
    if (finding !== undefined) sum.findings.push(finding);
    hear(sum.inputs);
  }
  return sum;
}
