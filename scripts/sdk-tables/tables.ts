// What the SDKs of other languages share with this one, read from protocol/wire: errors, limits and the names of types. Pure; the
// languages' own files beside it say how it is written there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  brokerEnvelopes,
  clientEnvelopes,
  isWork,
  resumeOutcomes,
  sessionStates,
} from "../../protocol/wire/envelope.ts";
import { closeCodes, type ErrorReason, errorBody, errors } from "../../protocol/wire/errors.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { root } from "../sources.ts";

export interface ErrorRow {
  reason: string;
  code: string;
  status: number;
  scope: string;
  retryable: boolean;
  processed: string;
  detail: string;
  closes: number | undefined;
}

export interface LimitRow {
  /** As in limits.ts: `windowMessages`. */
  name: string;
  value: number;
  /** What limits.ts says of it, or undefined where it says nothing. */
  doc: string | undefined;
}

/** Names that belong together. */
export interface NameRow {
  /** `WORK_TYPES`. */
  name: string;
  doc: string;
  values: readonly string[];
}

export interface Tables {
  errors: ErrorRow[];
  closeCodes: { name: string; code: number }[];
  limits: LimitRow[];
  names: NameRow[];
}

/** What a client has to know. The others bind the broker alone. */
const clientLimits = [
  "envelopeBytesMax",
  "frameBytesMax",
  "frameEnvelopesMax",
  "depthMax",
  "windowMessages",
  "windowBytes",
  "openTasksMax",
  "deadlineMsMax",
  "openSessionsMax",
  "capabilitiesMax",
  "offerMs",
  "offerTtlMsMax",
  "heartbeatIntervalMs",
  "heartbeatTimeoutMs",
  "framesPerSecond",
  "framesBurst",
  "rateWarningEveryMs",
  "rateWarningsWithinMs",
  "ackStallMs",
  "deliveryStallMs",
  "receiptDelayMs",
  "receiptMessagesMax",
  "reconnectBaseMs",
  "reconnectMaxMs",
  "outboxMessagesMax",
  "outboxBytesMax",
  "journalBytesMin",
] as const satisfies readonly (keyof typeof limits)[];

/** The comment over each limit. */
function docsOf(source: string): Map<string, string> {
  const docs = source.matchAll(/\/\*\* (?<doc>[^*]+) \*\/\n\s+(?<name>\w+):/g);
  return new Map(Array.from(docs, ({ groups }) => [groups?.name ?? "", groups?.doc ?? ""]));
}

function errorRows(): ErrorRow[] {
  return (Object.keys(errors) as ErrorReason[]).map((reason) => {
    const entry: { status: number; closes?: number } = errors[reason];
    return { ...errorBody(reason), status: entry.status, closes: entry.closes };
  });
}

function nameRows(): NameRow[] {
  const client = Object.keys(clientEnvelopes);
  const work = client.filter((type) => isWork({ type }));
  const broker = Object.keys(brokerEnvelopes);
  const given = clientEnvelopes.TASK_RESPONSE.shape.data.shape.status.options;
  const heard = brokerEnvelopes.TASK_RESPONSE.shape.data.shape.status.options;
  return [
    { name: "WORK_TYPES", doc: "Work, both ways: each takes one `seq` of its stream.", values: work },
    { name: "CLIENT_TYPES", doc: "What an agent may send.", values: client },
    { name: "BROKER_TYPES", doc: "What the broker may send.", values: broker },
    { name: "RESUME_OUTCOMES", doc: "Outcomes of SESSION_RESUMED (A2).", values: resumeOutcomes },
    { name: "SESSION_STATES", doc: "States of a session (N5).", values: sessionStates },
    { name: "TASK_STATUSES", doc: "Statuses that a performer may give in TASK_RESPONSE.", values: given },
    { name: "DELIVERED_TASK_STATUSES", doc: "Statuses that a requester may hear.", values: heard },
  ];
}

/** Everything that is written out. */
export function readTables(): Tables {
  const docs = docsOf(readFileSync(join(root, "protocol/wire/limits.ts"), "utf8"));
  return {
    errors: errorRows(),
    closeCodes: Object.entries(closeCodes).map(([name, code]) => ({ name, code })),
    limits: clientLimits.map((name) => ({ name, value: limits[name], doc: docs.get(name) })),
    names: nameRows(),
  };
}

/** `windowMessages` → `window_messages`. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Text in lines of at most `width`, broken between words, each word with the blank after it. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/(?<= )/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last + word;
  }
  return lines;
}

/** How a language writes a call that makes one entry of the table of errors. */
export interface EntryStyle {
  width: number;
  indent: string;
  /** One step of indentation. */
  step: string;
  /** Before the arguments: the reason and the name of what is called. */
  open(reason: string): string;
  quote(text: string): string;
  /** A word of the protocol: `invalid_argument`. */
  word(text: string): string;
  isTrue: string;
  /** Between a name and its value. */
  assign: string;
  /** Between two parts of one string. */
  join: string;
}

/**
 * One entry as a call with the code, status, scope and detail, then what it has beyond the rule. In one line where that fits; else
 * the detail stands in lines of its own.
 */
export function entryIn(style: EntryStyle, row: ErrorRow): string {
  const { indent, width, quote, word, assign } = style;
  const { reason, code, status, scope, retryable, processed, detail, closes } = row;
  const facts = `${style.open(reason)}(${word(code)}, ${status}, ${word(scope)},`;
  const more = [
    ...(retryable ? [`retryable${assign}${style.isTrue}`] : []),
    ...(processed === "no" ? [] : [`processed${assign}${word(processed)}`]),
    ...(closes === undefined ? [] : [`closes${assign}${closes}`]),
  ];
  const end = `${more.map((member) => `, ${member}`).join("")}),`;
  const line = `${indent}${facts} ${quote(detail)}${end}`;
  if (line.length <= width) return `${line}\n`;
  const inner = indent + style.step;
  const room = width - inner.length - end.length - 2 - style.join.length;
  const text = wrap(detail, room).map(quote).join(`${style.join}\n${inner}`);
  return `${indent}${facts}\n${inner}${text}${end}\n`;
}

/** Where each file is made from, said at its head. */
export const madeFrom = (source: string): string =>
  `Generated by npm run sdk:tables from protocol/wire/${source}: do not edit.`;
