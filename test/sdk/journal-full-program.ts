// Writes to a journal for as long as it takes something, then says how that ended, as JSON.
//   node journal-full-program.ts JOURNAL
import { Journal } from "../../sdk/typescript/src/journal.ts";
import { mint } from "../../sdk/typescript/src/mint.ts";

const [path = ""] = process.argv.slice(2);
const journal = new Journal(path);
const failures: string[] = [];
journal.onFailure = ({ message }) => failures.push(message);
journal.claim({ agent: "analyst", account: "local" });
let commits = 0;
const write = () => {
  const session = mint();
  journal.note({ session, peer: "planner", epoch: "e" });
  return journal.commit();
};
while (write()) commits++;
console.log(JSON.stringify({ commits, again: write(), failures }));
