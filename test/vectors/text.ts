// Long texts in the vectors. Anywhere in a file `{"$text": [part, …]}` stands for a string: its parts joined, where a part is a text
// or `[text, count]`, the text so many times. So a frame of half a megabyte fits a line.

export type Part = string | readonly [text: string, count: number];
export interface Text {
  $text: readonly Part[];
}

export const text = (...parts: Part[]): Text => ({ $text: parts });

const isText = (value: unknown): value is Text => typeof value === "object" && value !== null && "$text" in value;

const joined = ({ $text }: Text): string =>
  $text.map((part) => (typeof part === "string" ? part : part[0].repeat(part[1]))).join("");

function mapped(value: unknown, change: (value: unknown) => unknown): unknown {
  const changed = change(value);
  if (changed !== value || typeof value !== "object" || value === null) return changed;
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapped(item, change)]));
}

/** A value of a vector file, with its long texts as strings. */
export const expanded = (value: unknown): unknown => mapped(value, (one) => (isText(one) ? joined(one) : one));

/** From so many times on a character is counted, not written. */
const runMin = 100;

function parted(value: string): string | Text {
  if (value.length < runMin * 2) return value;
  const parts: Part[] = [];
  let from = 0;
  for (const run of value.matchAll(new RegExp(`(.)\\1{${runMin - 1},}`, "gsu"))) {
    const [whole, unit = ""] = run;
    if (run.index > from) parts.push(value.slice(from, run.index));
    parts.push([unit, whole.length / unit.length]);
    from = run.index + whole.length;
  }
  if (parts.length === 0) return value;
  if (from < value.length) parts.push(value.slice(from));
  return { $text: parts };
}

/** The other way: what is written into a file. Texts that have parts already keep them. */
export const shortened = (value: unknown): unknown =>
  mapped(value, (one) => (typeof one === "string" ? parted(one) : isText(one) ? { $text: [...one.$text] } : one));
