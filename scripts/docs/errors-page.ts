// The text of docs/ERRORS.md, made from the one table of errors. Pure: `errors.ts` beside it writes the file, a test compares.
import { type ErrorReason, errorBody, errors } from "../../protocol/wire/errors.ts";

const head = `# Errors

Made from \`protocol/wire/errors.ts\` by \`node scripts/docs/errors.ts\`; do not edit.

ERROR's \`data\`, SESSION_REJECT's \`data\` and HTTP problem+json share one shape: \`code\`, \`reason\`, \`detail\`, \`retryable\`, \`processed\`, \`scope\`
(PROTOCOL X1). _retryable_: the very same thing may succeed later. _processed_: whether what was sent took effect; of work, \`yes\` says that its
\`seq\` is taken. _HTTP_ is the status where the reason answers a request.
`;

const groups: Record<string, string> = {
  envelope: "An envelope: the rest of its frame, its session and the connection go on",
  frame: "A frame: nothing of it was taken, the connection goes on",
  session: "A session: the connection and its other sessions go on",
  connection: "The connection",
  request: "An HTTP request or an upgrade",
};

const titles = ["reason", "code", "HTTP", "retryable", "processed", "what to do"];

function cellsOf(reason: ErrorReason): string[] {
  const { code, detail, retryable, processed } = errorBody(reason);
  const { status }: { status: number } = errors[reason];
  const entry: { closes?: number } = errors[reason];
  const text = entry.closes === undefined ? detail : `${detail} The connection is closed with ${entry.closes}.`;
  return [`\`${reason}\``, code, String(status), retryable ? "yes" : "no", processed, text.replaceAll("|", "\\|")];
}

/** A table whose columns stand under each other, as the formatter wants it. */
function tableOf(rows: string[][]): string {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[], filler: string) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, filler)).join(" | ")} |\n`;
  const rule = titles.map(() => "-");
  return [line(titles, " "), line(rule, "-"), ...rows.map((row) => line(row, " "))].join("");
}

/** The whole page, with its last line break. */
export function errorsPage(): string {
  const reasons = Object.keys(errors) as ErrorReason[];
  const sections = Object.entries(groups).map(([scope, title]) => {
    const rows = reasons.filter((reason) => errors[reason].scope === scope).map(cellsOf);
    return `\n## ${title}\n\n${tableOf(rows)}`;
  });
  return head + sections.join("");
}
