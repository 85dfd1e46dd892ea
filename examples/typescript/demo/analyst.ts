// The analyst: a process of its own. It is asked to `analyze` a document that it does not have, so it asks the planner back for
// every part, in the same session, while it works.
import { connect } from "../../../sdk/typescript/src/index.ts";
import { type Analysis, type AnalyzeInput, credentialsOf, type Note, report, type Step, say, watch } from "./report.ts";

// Whoever started this process is gone: so is the reason for it.
process.once("disconnect", () => process.exit());

const agent = await connect(credentialsOf(process.argv[2]));
const runs = new Map<string, number>();
let notes = 0;

await agent.handle("analyze", async (input, task): Promise<Analysis> => {
  const { name, parts } = input as AnalyzeInput;
  runs.set(task.id, (runs.get(task.id) ?? 0) + 1);
  const counts = new Map<string, number>();
  let words = 0;
  let headings = 0;
  for (let part = 1; part <= parts; part++) {
    const text = await task.session.request<string>("read", { name, part }).result;
    headings += text.match(/^#+ /gm)?.length ?? 0;
    words += text.match(/\S+/g)?.length ?? 0;
    for (const word of text.toLowerCase().match(/\p{L}{4,}/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    const note: Note = { note: ++notes, about: `${name}, part ${part}` };
    const { seq } = await task.session.send(note);
    say("analyst", `MESSAGE note ${note.note} · seq ${seq} · stored`);
    const step: Step = { step: part, of: parts, words };
    await task.progress(step);
    // Agents think. Long enough here that the demo can cut and kill in the midst of it.
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  const repeated = [...counts].filter(([, count]) => count > 1).map(([word]) => word);
  const theme = repeated.sort((a, b) => b.length - a.length || a.localeCompare(b))[0] ?? "";
  return { name, words, headings, theme, notes, runs: runs.get(task.id) ?? 0 };
});

report({ kind: "ready" });
await watch("analyst", agent);
