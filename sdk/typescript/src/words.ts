// What programs throw, and abort with, in words: that may be anything, also what throws when it is looked at. Pure.

/** An error's message, or the value as text. Never throws. */
export function wordsOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "It cannot be put in words.";
  }
}
