// A Worker as this machine runs it: what to bundle, and what to bind. wrangler.toml is the one source for the real one;
// a bench or a test may describe its own.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { unstable_readConfig as readConfig } from "wrangler";
import { z } from "zod";
import { Failure, messageOf } from "../failure.ts";

export interface WorkerDescription {
  name: string;
  /** Path of the TypeScript entry. */
  entry: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  /** Binding → class that the entry exports; all on SQLite. */
  durableObjects: Record<string, string>;
  /** Binding → database and the folder of its migrations. */
  databases: Record<string, { id: string; migrationsDir?: string }>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The part of wrangler.toml that a local run needs; wrangler has resolved its paths against the file. */
const Configuration = z.object({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()),
  durable_objects: z.object({ bindings: z.array(z.object({ name: z.string(), class_name: z.string() })) }),
  d1_databases: z.array(
    z.object({ binding: z.string(), database_id: z.string(), migrations_dir: z.string().optional() }),
  ),
});

/** The Worker of wrangler.toml. */
export function describeWorker(): WorkerDescription {
  const parsed = Configuration.safeParse(readConfig({ config: join(root, "wrangler.toml") }, { hideWarnings: true }));
  if (!parsed.success) throw new Failure(`wrangler.toml does not describe a Worker: ${z.prettifyError(parsed.error)}`);
  const config = parsed.data;
  return {
    name: config.name,
    entry: config.main,
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    durableObjects: Object.fromEntries(config.durable_objects.bindings.map((b) => [b.name, b.class_name])),
    databases: Object.fromEntries(
      config.d1_databases.map(({ binding, database_id: id, migrations_dir: dir }) => [
        binding,
        dir === undefined ? { id } : { id, migrationsDir: join(root, dir) },
      ]),
    ),
  };
}

/** Another Worker under the same date and flags as the real one (a bench's bare relay, a test's echo). */
export function describeOtherWorker(
  other: Pick<WorkerDescription, "name" | "entry"> & Partial<WorkerDescription>,
): WorkerDescription {
  const { compatibilityDate, compatibilityFlags } = describeWorker();
  return { compatibilityDate, compatibilityFlags, durableObjects: {}, databases: {}, ...other };
}

/** One ES module with everything but the platform in it, as wrangler would upload it. Throws a Failure that quotes esbuild. */
export async function bundle(entry: string): Promise<string> {
  try {
    const result = await build({
      entryPoints: [entry],
      absWorkingDir: root,
      bundle: true,
      write: false,
      format: "esm",
      target: "es2024",
      platform: "browser",
      conditions: ["workerd", "worker", "browser"],
      external: ["node:*", "cloudflare:*"],
      define: { "process.env.NODE_ENV": '"production"' },
      sourcemap: "inline",
      logLevel: "silent",
    });
    return result.outputFiles[0]?.text ?? "";
  } catch (error) {
    throw new Failure(`The Worker ${entry} does not build: ${messageOf(error)}`);
  }
}
