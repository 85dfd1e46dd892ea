// What a journal must remember, seen from what the lives before said and took: everything that was written, and no more than was
// said. Nothing that was taken comes again, but for a handler that was running.
import type { SessionMemory } from "../../sdk/typescript/src/journal-records.ts";
import type { Diary } from "./diary.ts";

/** What is wrong with what a life recalls. */
export function misrecalled(memory: SessionMemory, diary: Diary): string | undefined {
  const { next, taken, ahead, tasks } = memory;
  const { written, said, heard, givenSeqs } = diary;
  if (next - 1 < written) return `${written} of what it said were written, ${next - 1} are remembered`;
  if (next - 1 > said.length) return `it said ${said.length}, ${next - 1} are remembered`;
  for (let seq = 1; seq <= heard.length; seq++) {
    const isTaken = seq <= taken || ahead.has(seq);
    if (givenSeqs.has(seq) && !isTaken) return `it took ${seq}, and does not remember that`;
    if (isTaken && !givenSeqs.has(seq)) return `it remembers to have taken ${seq}, and has not`;
  }
  if (taken > heard.length) return `it remembers to have taken ${taken}, ${heard.length} came`;
  const running = diary.running(said.slice(0, next - 1));
  const isSame = running.length === tasks.size && running.every((task_id) => tasks.has(task_id));
  return isSame ? undefined : `running were ${running.join(" ")}; remembered are ${[...tasks.keys()].join(" ")}`;
}
