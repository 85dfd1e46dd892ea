// ETag and If-Match (RFC 9110, 13.1.1): a change that is meant for one revision is refused by every other. The tag counts the
// changes of what PATCH and PUT can change, and nothing else: whether an agent is connected is no part of it.
import type { Context } from "hono";

export const etagOf = (revision: number): { ETag: string } => ({ ETag: `"${revision}"` });

/** No revision has it. */
const none = -1;

/** The revision that `If-Match` wants; undefined: any will do. */
export function wantedRevision(c: Context): number | undefined {
  const header = c.req.header("If-Match")?.trim();
  if (header === undefined || header === "*") return undefined;
  return Number(/^"(\d{1,15})"$/.exec(header)?.[1] ?? none);
}
