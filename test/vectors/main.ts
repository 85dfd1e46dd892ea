// npm run vectors: writes the vectors anew. Read the difference before committing it: a line that changed is a behaviour that changed.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { generatedSessions, vectorFiles } from "./files.ts";

const folder = import.meta.dirname;

for (const [name, text] of Object.entries(vectorFiles())) {
  writeFileSync(join(folder, name), text);
  console.log(`${name}: ${text.length} characters`);
}

const generated = gzipSync(generatedSessions(), { level: 9 });
mkdirSync(join(folder, "generated"), { recursive: true });
writeFileSync(join(folder, "generated/sessions.json.gz"), generated);
console.log(`generated/sessions.json.gz: ${generated.length} bytes`);
