// What a terminal is spared, and a pipe is not.
import { expect, test } from "vitest";
import { Output } from "../../sdk/typescript/src/cli/output.ts";

/** A command that answers `text` and notes it, to terminals or to pipes. */
function printed(text: string, isTTY: boolean): string[] {
  const said: string[] = [];
  const stream = { isTTY, write: (written: string) => said.push(written) };
  const output = new Output({ out: stream, err: stream }, false);
  output.result(text, () => text);
  output.note(text);
  return said;
}

const hostile = "one\ttwo\n\u001b]0;title\u0007\u202eback\u009b2J";

test("a terminal gets lines and tabs of what others said, and nothing that it would obey", () => {
  const spared = "one\ttwo\n\ufffd]0;title\ufffd\ufffdback\ufffd2J";
  expect(printed(hostile, true)).toEqual([spared, `${spared}\n`]);
});

test("a pipe gets what came", () => {
  expect(printed(hostile, false)).toEqual([hostile, `${hostile}\n`]);
});
