// How `npm run schema:generate` makes migrations from the tables of schema/: plain SQL files that `wrangler d1 migrations apply` takes.
import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./schema/tables.ts", "./schema/people-tables.ts"],
  out: "./schema/migrations",
});
