// npm run check:imports: who may import whom (docs/ARCHITECTURE.md, "Layout and imports"), and what the protocol core may
// not touch. The table below is that page's table; change both together.

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { transformSync } from "esbuild";
import { filesIn, root } from "./sources.ts";

interface Law {
  /** The folder it governs; the longest match wins. */
  folder: string;
  /** Folders (with what is below them) beside its own. */
  folders: readonly string[];
  /** Folders whose types only may be imported. */
  types?: readonly string[];
  /** Packages by name; `node:` and `cloudflare:` stand for the platforms' modules; "*" for any. */
  packages: readonly string[];
  pure?: boolean;
  instead: string;
}

const core = "take it as an argument or return it as an effect: the core has no clock, no dice, no wire and no await";

const laws: readonly Law[] = [
  { folder: "protocol/wire", folders: [], packages: ["zod"], pure: true, instead: core },
  { folder: "protocol/session", folders: ["protocol/wire"], packages: [], pure: true, instead: core },
  { folder: "protocol", folders: ["protocol"], packages: [], pure: true, instead: core },
  {
    folder: "schema",
    folders: ["protocol/wire"],
    packages: ["drizzle-orm", "zod"],
    instead: "keep tables, queries and shapes free of HTTP and of objects; the Worker joins them",
  },
  {
    folder: "x509",
    folders: [],
    packages: ["@peculiar/x509"],
    instead: "requests and certificates as values: no files, no HTTP, no database",
  },
  {
    folder: "durable-objects",
    folders: ["protocol", "schema"],
    packages: ["cloudflare:", "drizzle-orm"],
    instead: "put rules into protocol/session and queries into schema; an object only converts and forwards",
  },
  {
    folder: "worker",
    // package.json: GET /health says the version.
    folders: ["schema", "x509", "protocol/wire", "package.json"],
    types: ["durable-objects"],
    packages: [
      "cloudflare:",
      "node:",
      "hono",
      "@hono/zod-openapi",
      "zod",
      "drizzle-orm",
      "better-auth",
      "@peculiar/x509",
    ],
    instead: "reach an object through its RPC type (import type), and the protocol's sessions through an object",
  },
  {
    folder: "sdk/typescript",
    folders: ["protocol"],
    packages: ["ws", "node:"],
    instead: "the SDK is published alone: take it from protocol/, or write it in the SDK",
  },
  {
    folder: "examples",
    folders: ["sdk"],
    packages: ["node:"],
    instead: "an example shows what a user can write: the SDK and the platform",
  },
  {
    // The demo starts a broker and cuts its sockets, which a user's program would not.
    folder: "examples/typescript/demo",
    folders: ["sdk", "scripts"],
    packages: ["node:"],
    instead: "an example shows what a user can write: the SDK, the platform, and scripts/ for the broker",
  },
  {
    // The same, with agents of three languages.
    folder: "examples/interop",
    folders: ["sdk", "scripts", "examples/typescript/demo"],
    packages: ["node:"],
    instead: "an example shows what a user can write: the SDK, the platform, and scripts/ for the broker",
  },
  {
    folder: "scripts",
    // The SDK: an agent is certified here as its users do it.
    folders: ["schema", "x509", "protocol/wire", "sdk/typescript"],
    packages: ["*"],
    instead:
      "scripts serve the broker from outside: use its HTTP API, or move what is shared to schema or protocol/wire",
  },
  {
    folder: "conformance",
    folders: ["protocol/wire", "scripts"],
    packages: ["node:", "ws"],
    instead: "the kit judges clients and brokers by PROTOCOL.md alone: write it by hand, without an SDK or the core",
  },
  {
    // Programs that the kit tests: each over its SDK.
    folder: "conformance/agents",
    folders: ["sdk"],
    packages: ["node:"],
    instead: "an agent is what a user can write: the SDK and the platform",
  },
  {
    // The real Worker with counters in it: the one place that wraps the objects instead of calling them.
    folder: "bench/counted",
    folders: ["durable-objects", "worker"],
    packages: [],
    instead: "count around the objects; measure elsewhere",
  },
  {
    // Other brokers, each through its own client: the one place that knows them.
    folder: "bench/peers",
    folders: ["bench", "scripts"],
    packages: ["node:", "@nats-io", "mqtt", "amqplib"],
    instead: "a peer is its server and its lane; what is measured is the lane's business of bench/lane.ts",
  },
  {
    folder: "bench",
    folders: ["sdk", "scripts", "protocol"],
    packages: ["node:", "cloudflare:", "ws"],
    instead: "measure through the SDK, or through the edge that scripts/ starts",
  },
];

/** The one file that must name the classes that wrangler.toml binds. */
const reexports = "worker/index.ts";

/** What makes a function depend on more than its arguments. */
const impurities: readonly [RegExp, string][] = [
  [/\bDate\.now\b/, "Date.now"],
  [/\bnew Date\(\s*\)/, "new Date()"],
  [/\bperformance\b/, "performance"],
  [/\bMath\.random\b/, "Math.random"],
  [/\bcrypto\b/, "crypto"],
  [/\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, "timers"],
  [/\bawait\b/, "await"],
  [/\basync\b/, "async"],
  [/\bfetch\s*\(/, "fetch"],
];

const statement =
  /^[ \t]*(?<head>import|export)\b(?<what>[^;"'`]*?)\bfrom\s*["'](?<from>[^"'\n]+)["']|^[ \t]*import\s*["'](?<bare>[^"'\n]+)["']|\bimport\(\s*["'](?<call>[^"'\n]+)["']\s*\)/gm;

interface Import {
  target: string;
  typeOnly: boolean;
  line: number;
}

function importsOf(source: string): Import[] {
  return Array.from(source.matchAll(statement), (match) => {
    const { what = "", from, bare, call } = match.groups ?? {};
    const typeOnly = /^\s*type\b/.test(what);
    const indent = match[0].length - match[0].trimStart().length;
    const line = source.slice(0, (match.index ?? 0) + indent).split("\n").length;
    return { target: from ?? bare ?? call ?? "", typeOnly, line };
  });
}

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

function lawOf(path: string): Law | undefined {
  return laws.filter((law) => within(path, law.folder)).sort((a, b) => b.folder.length - a.folder.length)[0];
}

function packageAllowed(law: Law, target: string): boolean {
  return law.packages.some(
    (name) => name === "*" || (name.endsWith(":") ? target.startsWith(name) : within(target, name)),
  );
}

function importAllowed(law: Law, path: string, { target, typeOnly }: Import): boolean {
  if (!target.startsWith(".")) return packageAllowed(law, target);
  const resolved = posix.normalize(posix.join(posix.dirname(path), target));
  if (within(resolved, law.folder) || law.folders.some((folder) => within(resolved, folder))) return true;
  return (law.types ?? []).some((folder) => within(resolved, folder)) && (typeOnly || path === reexports);
}

function impuritiesOf(source: string): string[] {
  // esbuild takes comments and types away; what is left in quotes is text.
  const { code } = transformSync(source, { loader: "ts", target: "esnext" });
  const bare = code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
  return impurities.filter(([pattern]) => pattern.test(bare)).map(([, name]) => name);
}

/** All violations under `base`, one line each: file:line, the rule, and what to do instead. */
export function checkImports(base: string): string[] {
  const violations: string[] = [];
  const top = new Set(laws.map((law) => law.folder.split("/")[0]));
  const governed = (path: string): boolean => top.has(path.split("/")[0]) && /\.ts$/.test(path);
  for (const path of filesIn(base, governed)) {
    const law = lawOf(path);
    if (law === undefined || /\.test\.ts$/.test(path)) continue;
    const source = readFileSync(join(base, path), "utf8");
    for (const found of importsOf(source)) {
      if (importAllowed(law, path, found)) continue;
      const may =
        [...law.folders, ...(law.types ?? []).map((t) => `${t} (types)`), ...law.packages].join(", ") || "nothing";
      violations.push(
        `${path}:${found.line}: ${law.folder} may import ${may}, not "${found.target}". Instead: ${law.instead}.`,
      );
    }
    if (law.pure !== true) continue;
    for (const name of impuritiesOf(source)) {
      violations.push(`${path}: ${law.folder} must not use ${name}. Instead: ${law.instead}.`);
    }
  }
  return violations;
}

if (import.meta.main) {
  const violations = checkImports(root);
  for (const violation of violations) console.error(violation);
  console.log(violations.length === 0 ? "Imports follow ARCHITECTURE." : `${violations.length} imports to mend.`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
