// The text of docs/ERRORS.md, made from the one table of errors. Pure: `errors.ts` beside it writes the file, a test compares.
import { type ErrorReason, errorBody, errors } from "../../protocol/wire/errors.ts";

const head = `# Errors

Made from \`protocol/wire/errors.ts\` by \`node scripts/docs/errors.ts\`; do not edit.

ERROR's \`data\`, SESSION_REJECT's \`data\` and HTTP problem+json share one shape: \`code\`, \`reason\`, \`detail\`, \`retryable\`, \`processed\`, \`scope\`
(PROTOCOL X1). *retryable*: the very same thing may succeed later. *processed*: whether what was sent took effect; of work, \`yes\` says that its
\`seq\` is taken. *HTTP* is the status where the reason answers a request.
`;

const groups: Record<string, string> = {
  envelope: "An envelope: the rest of its frame, its session and the connection go on",
  frame: "A frame: nothing of it was taken, the connection goes on",
  session: "A session: the connection and its other sessions go on",
  connection: "The connection",
  request: "An HTTP request or an upgrade",
};

function rowOf(reason: ErrorReason): string {
  const { code, detail, retryable, processed } = errorBody(reason);
  const { status }: { status: number } = errors[reason];
  const entry: { closes?: number } = errors[reason];
  const text = entry.closes === undefined ? detail : `${detail} The connection is closed with ${entry.closes}.`;
  return `| \`${reason}\` | ${code} | ${status} | ${retryable ? "yes" : "no"} | ${processed} | ${text.replaceAll("|", "\\|")} |`;
}

/** The whole page, with its last line break. */
export function errorsPage(): string {
  const reasons = Object.keys(errors) as ErrorReason[];
  const sections = Object.entries(groups).map(([scope, title]) => {
    const rows = reasons.filter((reason) => errors[reason].scope === scope).map(rowOf);
    const table = [
      "| reason | code | HTTP | retryable | processed | what to do |",
      "| --- | --- | --- | --- | --- | --- |",
    ];
    return `\n## ${title}\n\n${[...table, ...rows].join("\n")}\n`;
  });
  return head + sections.join("");
}
