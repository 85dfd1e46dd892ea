// npm run vectors: writes the vectors anew. Read the difference before committing it: a line that changed is a behaviour that changed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { vectorFiles } from "./files.ts";

for (const [name, text] of Object.entries(vectorFiles())) {
  writeFileSync(join(import.meta.dirname, name), text);
  console.log(`${name}: ${text.length} characters`);
}
