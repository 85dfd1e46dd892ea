// Lists of the API, as far as a command shows them.

/** The first `most` of what comes; what is not needed is not asked for. */
export async function first<Entry>(entries: AsyncIterable<Entry>, most: number): Promise<Entry[]> {
  const found: Entry[] = [];
  if (most === 0) return found;
  for await (const entry of entries) {
    found.push(entry);
    if (found.length === most) break;
  }
  return found;
}
