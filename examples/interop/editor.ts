// The editor, in TypeScript. It knows nobody by name: it looks up who can do what, and opens its sessions by capability. One is with
// whoever has documents, one with whoever can analyze them. When the analyst asks it for a part, it asks the library in turn.
import { connect, type Session } from "../../sdk/typescript/src/index.ts";

interface Listed {
  name: string;
  parts: number;
}

interface Analysis {
  words: number;
  theme: string;
  notes: number;
  runs: number;
}

const env = (name: string): string => process.env[name] ?? "";
const tally = { tasks: 0, succeeded: 0, messages: 0, lost: 0, duplicated: 0, outOfOrder: 0 };

/** Numbers that must come as 1, 2, 3 …, each once. */
class Numbers {
  readonly #seen = new Set<number>();

  see(number: number): void {
    tally.messages++;
    if (this.#seen.has(number)) tally.duplicated++;
    else if (number < this.#seen.size) tally.outOfOrder++;
    this.#seen.add(number);
  }

  end(last: number): void {
    tally.lost += last - this.#seen.size;
  }
}

const agent = await connect({
  url: env("AGENTWORKS_URL"),
  certFile: env("AGENTWORKS_CERTIFICATE"),
  keyFile: env("AGENTWORKS_KEY"),
  caFile: env("AGENTWORKS_CA"),
});
console.log("is connected with its own certificate (TypeScript)");

void (async () => {
  let connected = true;
  for await (const status of agent.status()) {
    if (status.type === "disconnected" && connected) {
      connected = false;
      console.log(`lost its connection (${status.code}), and tries again`);
    } else if (status.type === "connected") {
      connected = true;
      console.log("connected again; its sessions resume where they stood");
    }
  }
})();

for (const capability of ["documents", "analyze"]) {
  const able = await agent.agents({ capability });
  console.log(`AGENT_QUERY ${capability}: ${able.map((one) => one.agent).join(", ")}`);
}
const library = await agent.open({ capability: "documents" }, { waitMs: 10_000 });
const analyst = await agent.open({ capability: "analyze" }, { waitMs: 10_000 });
console.log(`opened sessions by capability: with ${library.peer} and with ${analyst.peer}`);

/** Parts that the analyst asked for, by document. */
const asked = new Map<string, Numbers>();
await agent.handle("read", async (input) => {
  const { name, part } = input as { name: string; part: number };
  asked.get(name)?.see(part);
  return library.request("read", { name, part }).result;
});

async function readNotes(session: Session, notes: Numbers): Promise<void> {
  for await (const { content } of session.messages()) notes.see((content as { note: number }).note);
}
const notes = new Numbers();
const reading = readNotes(analyst, notes);

const documents = await library.request<Listed[]>("documents", null).result;
// The shortest are enough for one who only edits.
let lastNote = 0;
for (const { name, parts } of documents.sort((a, b) => a.parts - b.parts).slice(0, 5)) {
  tally.tasks++;
  const wanted = new Numbers();
  const steps = new Numbers();
  asked.set(name, wanted);
  const task = analyst.request<Analysis, { step: number }>("analyze", { name, parts });
  for await (const { step } of task.progress) steps.see(step);
  const { words, theme, runs, notes: sent } = await task.result;
  tally.messages++;
  wanted.end(parts);
  steps.end(parts);
  tally.duplicated += runs - 1;
  tally.succeeded++;
  lastNote = sent;
  console.log(`TASK_RESPONSE ${name}: ${words} words, about “${theme}”`);
}
await Promise.all([analyst.close("edited"), library.close("edited")]);
await reading;
notes.end(lastNote);
await agent.drain();
console.log(JSON.stringify(tally));
