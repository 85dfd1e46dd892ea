// What a peer is allowed to see, whatever was sent: envelopes of the tables, errors of the table, closes of the table, and not
// too much of it. Anything else is undocumented, and thrown as such.
import { decodeBrokerFrame, type Fault } from "../../protocol/wire/codec.ts";
import type { BrokerEnvelope } from "../../protocol/wire/envelope.ts";
import { closeCodes, type ErrorReason, errors } from "../../protocol/wire/errors.ts";

/** The broker, or our client, did what no document says. */
export class Undocumented extends Error {
  override name = "Undocumented";
}

const shown = (text: string): string => (text.length > 400 ? `${text.slice(0, 400)}… (${text.length})` : text);

export function must(holds: boolean, what: string, text = ""): asserts holds {
  if (!holds) throw new Undocumented(text === "" ? what : `${what}: ${shown(text)}`);
}

export const isReason = (reason: string): reason is ErrorReason => Object.hasOwn(errors, reason);

export function judgeFault(fault: Fault): void {
  must(isReason(fault.reason), "a reason that is not in the table", fault.reason);
}

/** An answer to one bad envelope: `issues` lists eight, each of a schema's own words. */
export const errorCharsMax = 4_096;

/** The envelopes of a frame of the broker's; each fits its schema, each error is the table's. */
export function judgeFrame(frame: string): BrokerEnvelope[] {
  return decodeBrokerFrame(frame).map((decoded) => {
    must(decoded.ok, `the broker sent what is ${decoded.ok ? "" : decoded.fault.reason}`, frame);
    const { envelope } = decoded;
    if (envelope.type === "ERROR" || envelope.type === "SESSION_REJECT") {
      const { reason, code, retryable, processed, scope } = envelope.data;
      must(isReason(reason), "an error that is not in the table", frame);
      const entry = errors[reason];
      const same =
        entry.code === code && entry.retryable === retryable && entry.processed === processed && entry.scope === scope;
      must(same, "an error that says what the table does not", frame);
      must(JSON.stringify(envelope).length <= errorCharsMax, "an error that is too long", frame);
    }
    return envelope;
  });
}

const codes: ReadonlySet<number> = new Set(Object.values(closeCodes));

export function judgeClose(code: number): void {
  must(codes.has(code), `a close with ${code}, which is not in the table`);
}

/** Time for a case: this much for each input and once more, and this much more for each character. Far more than it takes; far less than an attack needs. */
const inputMs = 25;
const charMs = 0.001;
export const allowedMs = (inputs: number, chars: number): number => (inputs + 1) * inputMs + chars * charMs;

/** Runs work that can be run again; only when it is too slow three times in a row is that its own fault, and not the machine's. */
export function inTime(
  limitMs: (ran: { inputs: number; chars: number }) => number,
  work: () => { inputs: number; chars: number },
) {
  for (let attempt = 1; ; attempt++) {
    // The processor's time, not the clock's: what else the machine does is nothing to the code.
    const started = process.cpuUsage();
    const ran = work();
    const { user, system } = process.cpuUsage(started);
    const tookMs = (user + system) / 1000;
    const allowed = limitMs(ran);
    if (tookMs <= allowed) return ran;
    must(
      attempt < 3,
      `${tookMs.toFixed(0)} ms for ${ran.inputs} inputs of ${ran.chars} characters, ${allowed.toFixed(0)} are allowed`,
    );
  }
}

/** What a failure says, with where it was thrown when it was a bug that threw. */
export function messageOf(error: unknown): string {
  if (error instanceof Undocumented) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
