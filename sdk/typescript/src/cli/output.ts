// What commands print: tables for people, JSON for programs. Results go to stdout, everything else to stderr.

/** The streams of a command; a test may bring its own. */
export interface Streams {
  out: Stream;
  err: Stream;
}

interface Stream {
  write(text: string): unknown;
  isTTY?: boolean;
}

/** Text from elsewhere may hold control characters, which a terminal would obey, and marks that turn the direction of what follows. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

/** The same of text that has lines, and tabs in them. */
export const printableLines = (text: string): string => text.replace(/[^\n\t]+/g, printable);

/** Columns as wide as what is in them; the last one as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ");
  return `${all.map((row) => line(row).trimEnd()).join("\n")}\n`;
}

/** `2026-11-22T20:15:03.123Z` as people read it, UTC. */
export const shortTime = (time: string | null): string => (time === null ? "-" : time.slice(0, 19).replace("T", " "));

export class Output {
  readonly #streams: Streams;
  readonly json: boolean;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** What a terminal would obey is not for it; a file or a pipe gets what came. */
  #write(stream: Stream, text: string): void {
    stream.write(stream.isTTY === true ? printableLines(text) : text);
  }

  /** The result: JSON on one line where that was asked for, else the text. */
  result(value: unknown, text: () => string): void {
    this.#write(this.#streams.out, this.json ? `${JSON.stringify(value)}\n` : text());
  }

  /** Something on the way, for people who wait. */
  note(text: string): void {
    this.#write(this.#streams.err, `${text}\n`);
  }

  /** The same, where it is only worth saying to somebody who looks on. */
  progress(text: string): void {
    if (this.#streams.err.isTTY === true && !this.json) this.note(text);
  }
}
