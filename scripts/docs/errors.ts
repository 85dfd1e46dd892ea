// node scripts/docs/errors.ts: writes docs/ERRORS.md. Nothing is decided here.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorsPage } from "./errors-page.ts";

writeFileSync(join(import.meta.dirname, "../../docs/ERRORS.md"), errorsPage());
