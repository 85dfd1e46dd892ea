// Times as the API writes them, and the places in lists that are ordered by time.

/** RFC 3339, UTC. */
export const time = (ms: number): string => new Date(ms).toISOString();
export const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms));

/** A cursor `<epoch milliseconds>.<id>`; its shape was validated. */
export function readTimeCursor(text: string | undefined): { at: number; id: string } | undefined {
  if (text === undefined) return undefined;
  const [at = "", id = ""] = text.split(".");
  return { at: Number(at), id };
}
