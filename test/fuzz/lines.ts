// A line of the fuzzer's: a valid envelope, what is done to its members, and what is then done to its text. Everything is
// data, so that fast-check can take it away again piece by piece until only what matters is left.
import fc from "fast-check";
import type { Moment } from "./samples.ts";
import { copy, ids, memberName, Raw, strangeValue, write } from "./values.ts";

type Edit =
  | { do: "set"; at: number; value: unknown }
  | { do: "remove"; at: number }
  | { do: "wrap"; at: number }
  | { do: "add"; at: number; name: string; value: unknown };

type Scar =
  | { do: "cut"; at: number }
  | { do: "insert"; at: number; text: string }
  | { do: "again"; name: string; value: unknown }
  | { do: "drop"; at: number; length: number };

export interface Line {
  type: string;
  /** The `seq` of work beside the next one. */
  off: number;
  /** Which of the small pools of ids. */
  id: number;
  task: number;
  edits: Edit[];
  scars: Scar[];
}

const at = fc.nat(63);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("set" as const), at, value: strangeValue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wrap" as const), at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("add" as const), at, name: memberName, value: strangeValue }) },
);
const scar: fc.Arbitrary<Scar> = fc.oneof(
  fc.record({ do: fc.constant("cut" as const), at: fc.nat(400) }),
  fc.record({
    do: fc.constant("insert" as const),
    at: fc.nat(400),
    text: fc.oneof(
      fc.constantFrom("\n", "\r\n", "\u0000", "\ufeff", ",", "}", '"', "\\", " ", "\ud800", "\u2028", "{}\n{}"),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
  }),
  fc.record({ do: fc.constant("again" as const), name: memberName, value: strangeValue }),
  fc.record({ do: fc.constant("drop" as const), at: fc.nat(400), length: fc.integer({ min: 1, max: 9 }) }),
);

const offset = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(511, 512, 513, 576, 2 ** 52) },
);

/** Lines of the given types; those that come more than once come more often. */
export const lineOf = (types: readonly string[]): fc.Arbitrary<Line> =>
  fc.record({
    type: fc.constantFrom(...types),
    off: offset,
    id: fc.nat(ids.length - 1),
    task: fc.nat(ids.length - 1),
    // Mostly one: what has two faults is refused for the first.
    edits: fc.oneof(
      { weight: 5, arbitrary: fc.constant<Edit[]>([]) },
      { weight: 6, arbitrary: fc.array(edit, { minLength: 1, maxLength: 1 }) },
      { weight: 2, arbitrary: fc.array(edit, { maxLength: 4 }) },
    ),
    scars: fc.oneof(
      { weight: 9, arbitrary: fc.constant<Scar[]>([]) },
      { weight: 1, arbitrary: fc.array(scar, { maxLength: 2 }) },
    ),
  });

type Place = [container: Record<string, unknown>, name: string];

function placesIn(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null || value instanceof Raw || found.length > 63) return found;
  const container = value as Record<string, unknown>;
  for (const name of Object.keys(container)) {
    found.push([container, name]);
    placesIn(container[name], found);
  }
  return found;
}

const member = { enumerable: true, configurable: true, writable: true };

function apply(envelope: Record<string, unknown>, change: Edit): void {
  const places = placesIn(envelope);
  const [container, name] = places[change.at % Math.max(1, places.length)] ?? [envelope, "type"];
  if (change.do === "remove") delete container[name];
  else if (change.do === "wrap") container[name] = [container[name]];
  else if (change.do === "set") container[name] = copy(change.value);
  else if (Array.isArray(container)) container.push(copy(change.value));
  // Defined, not assigned: `__proto__` is to be a member like any other.
  else Object.defineProperty(container, change.name, { ...member, value: copy(change.value) });
}

function wound(text: string, change: Scar): string {
  if (change.do === "again") return text.replace("{", `{${JSON.stringify(change.name)}:${write(change.value)},`);
  const place = change.at % (text.length + 1);
  if (change.do === "cut") return text.slice(0, place);
  if (change.do === "insert") return text.slice(0, place) + change.text + text.slice(place);
  return text.slice(0, place) + text.slice(place + change.length);
}

/** Whether it is left as it was made: it moves its stream on, if it is work. */
const isWhole = (line: Line) => line.edits.length === 0 && line.scars.length === 0 && line.off === 0;

/** The text of a line, at a moment that it then moves on. */
export function textOf(line: Line, samples: Record<string, (moment: Moment) => object>, moment: Moment): string {
  const { id = "", task_id = "" } = { id: ids[line.id], task_id: ids[line.task] };
  const now = { ...moment, id, task_id, next: moment.next + line.off };
  // The edits work on a copy: a sample's parts are shared.
  const envelope = copy({ type: line.type, ...samples[line.type]?.(now) }) as Record<string, unknown>;
  if ("seq" in envelope && isWhole(line)) moment.next++;
  for (const change of line.edits) apply(envelope, change);
  return line.scars.reduce(wound, write(envelope));
}
