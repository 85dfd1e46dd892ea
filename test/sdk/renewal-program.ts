// Replaces the files of an agent by one of several identities, again and again, and says a line for each time. To be killed.
//   node renewal-program.ts CERT_FILE KEY_FILE FOLDER…   each FOLDER has cert.pem and key.pem
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeIdentity } from "../../sdk/typescript/src/certificates/files.ts";

const [certFile = "", keyFile = "", ...folders] = process.argv.slice(2);
const identities = await Promise.all(
  folders.map(async (folder) => ({
    cert: await readFile(join(folder, "cert.pem"), "utf8"),
    key: await readFile(join(folder, "key.pem"), "utf8"),
  })),
);
for (;;) {
  for (const identity of identities) {
    await writeIdentity({ certFile, keyFile }, identity);
    console.log("written");
  }
}
