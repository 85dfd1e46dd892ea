// Brings a local D1 up to date: each migration once, in the order of their names, in a table that `wrangler d1 migrations
// apply` reads and writes too.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { Failure, messageOf } from "../failure.ts";

type D1 = Awaited<ReturnType<Miniflare["getD1Database"]>>;

/** Word for word wrangler's, so that either may come first. */
const migrationsTable = `CREATE TABLE IF NOT EXISTS "d1_migrations"(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);`;

/** What drizzle-kit puts between the statements of a migration. */
const breakpoint = "--> statement-breakpoint";

/** Applies what is missing; each migration and its mark are one transaction. Returns the names that it applied. */
export async function applyMigrations(database: D1, dir: string): Promise<string[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(".sql")).sort();
  await database.prepare(migrationsTable).run();
  const rows = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(rows.results.map((row) => row.name));
  const missing = names.filter((name) => !applied.has(name));
  for (const name of missing) {
    const statements = (await readFile(join(dir, name), "utf8")).split(breakpoint);
    try {
      await database.batch([
        ...statements.map((statement) => database.prepare(statement)),
        database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
      ]);
    } catch (error) {
      throw new Failure(
        `The migration ${name} does not apply to the database of this state folder: ${messageOf(error)}`,
      );
    }
  }
  return missing;
}
