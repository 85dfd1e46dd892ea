// A Worker as this machine runs it: what to bundle, and what to bind. wrangler.toml is the one source for the real one;
// a bench or a test may describe its own.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { Failure, messageOf } from "../failure.ts";
import { root } from "../sources.ts";

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

const configurationProgram = fileURLToPath(new URL("configuration.ts", import.meta.url));
/** A bundle with its source map is a few MiB. */
const outputBytesMax = 64 * 1024 * 1024;

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

/**
 * What a program of the project prints. wrangler and esbuild are run, not imported: the one would keep well over 100 MiB of
 * this process, the other a process of its own, and a broker runs for days.
 */
function outputOf(program: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd: root, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(stderr === "" ? error : new Error(stderr.trim()));
    });
  });
}

async function readConfiguration(): Promise<z.infer<typeof Configuration>> {
  const text = await outputOf(process.execPath, [configurationProgram]).catch((error: unknown) => {
    throw new Failure(`wrangler.toml cannot be read: ${messageOf(error)}`);
  });
  const parsed = Configuration.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Failure(`wrangler.toml does not describe a Worker: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

let configuration: Promise<z.infer<typeof Configuration>> | undefined;

/** The Worker of wrangler.toml, which is read once in the life of this process. */
export async function describeWorker(): Promise<WorkerDescription> {
  configuration ??= readConfiguration();
  const config = await configuration;
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
export async function describeOtherWorker(
  other: Pick<WorkerDescription, "name" | "entry"> & Partial<WorkerDescription>,
): Promise<WorkerDescription> {
  const { compatibilityDate, compatibilityFlags } = await describeWorker();
  return { compatibilityDate, compatibilityFlags, durableObjects: {}, databases: {}, ...other };
}

const esbuild = fileURLToPath(import.meta.resolve("esbuild/bin/esbuild"));
const esbuildFlags = [
  "--bundle",
  "--format=esm",
  "--target=es2024",
  "--platform=browser",
  "--conditions=workerd,worker,browser",
  "--external:node:*",
  "--external:cloudflare:*",
  '--define:process.env.NODE_ENV="production"',
  "--sourcemap=inline",
  // Stack traces need the lines only; the text would be most of what Node and workerd keep of the bundle.
  "--sources-content=false",
  "--log-level=error",
  "--color=false",
];

/** One ES module with everything but the platform in it, as wrangler would upload it. Throws a Failure that quotes esbuild. */
export async function bundle(entry: string): Promise<string> {
  try {
    return await outputOf(esbuild, [entry, ...esbuildFlags]);
  } catch (error) {
    throw new Failure(`The Worker ${entry} does not build: ${messageOf(error)}`);
  }
}
