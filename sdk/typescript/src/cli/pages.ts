// Lists of the API, page by page.
import type { HttpApi } from "../http-api.ts";

/**
 * The first `most` entries of a list.
 * @param path with its query, if any
 * @param member where a page has them
 */
export async function entriesOf<Entry>(api: HttpApi, path: string, member: string, most: number): Promise<Entry[]> {
  const found: Entry[] = [];
  let next: string | undefined;
  do {
    const cursor = next === undefined ? "" : `${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(next)}`;
    const page = await api.ask<Record<string, unknown>>("GET", `${path}${cursor}`);
    const entries = page[member];
    if (Array.isArray(entries)) found.push(...(entries as Entry[]));
    next = typeof page.next === "string" ? page.next : undefined;
  } while (next !== undefined && found.length < most);
  return found.slice(0, most);
}
