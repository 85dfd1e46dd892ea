// The embedded broker: a state folder, a Worker on workerd, and the edge before it, started and stopped as one.
// `npm start`, the tests, the demo and the bench all start theirs here.

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { defaultAccount } from "../../schema/http.ts";
import { scopes } from "../../schema/permissions.ts";
import { type Authority, openAuthority } from "../certificates/authority.ts";
import { type Edge, startEdge } from "../edge/edge.ts";
import { certificatesIn } from "../edge/tls-client-auth.ts";
import { Failure, messageOf } from "../failure.ts";
import { applyMigrations } from "./migrations.ts";
import { addLocalOwner, openAuthSecret, signInLink } from "./people.ts";
import { startRuntime } from "./runtime.ts";
import { StateFolder } from "./state-folder.ts";
import { storageFailure } from "./storage.ts";
import { describeWorker, type WorkerDescription } from "./worker.ts";

export interface WorkerBehindEdgeOptions {
  /** Folder of the CA, the lock and, under `workerd/`, of D1 and the objects. Made when missing. */
  stateDir: string;
  worker: WorkerDescription;
  /** 0, the default, takes any free port. */
  agentsPort?: number;
  apiPort?: number;
  /** A PEM file of further CAs whose agents are verified. */
  clientCaFile?: string;
  /** Text bindings beside those of the edge and of the development CA. */
  bindings?: Record<string, string>;
}

export interface WorkerBehindEdge {
  /** `wss://localhost:<port>`. */
  readonly agentsUrl: string;
  /** `http://localhost:<port>`. */
  readonly apiUrl: string;
  readonly stateDir: string;
  /** The same, held by this process until `close`. */
  readonly folder: StateFolder;
  readonly caFile: string;
  /** PEM: the CAs whose agents the edge lets in, this folder's own first. */
  readonly clientCas: readonly string[];
  /** Signs certificates that the edge verifies; it does not register them anywhere. */
  readonly authority: Authority;
  readonly edge: Edge;
  /** What the edge proves itself with; tests speak to the inner port with and without it. */
  readonly edgeSecret: string;
  /** The Worker's own port, `http://127.0.0.1:<port>`; `undefined` while workerd restarts. */
  innerUrl(): string | undefined;
  readonly miniflare: Miniflare;
  workerdPid(): number | undefined;
  /** Ends everything and lets go of the folder. A second call waits for the first. */
  close(): Promise<void>;
}

export interface Broker extends WorkerBehindEdge {
  readonly adminToken: string;
  /** With every scope in the account `local`, another one at each start; a Worker without a registry has none. */
  readonly apiKey?: string;
  /** A link that signs the owner of `local` in, once, within ten minutes. A Failure where that one is no member any more. */
  signInLink(): Promise<string>;
}

export type BrokerOptions = Omit<WorkerBehindEdgeOptions, "worker"> & {
  /** Instead of the Worker of wrangler.toml. */
  worker?: WorkerDescription;
};

const secret = (): string => randomBytes(32).toString("base64url");

async function readClientCas(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [];
  const pem = await readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure(`Cannot read the CA file ${file}: ${messageOf(error)}.`);
  });
  let count: number;
  try {
    count = certificatesIn(pem).filter((certificate) => certificate.ca).length;
  } catch (error) {
    throw new Failure(`The CA file ${file} is damaged: ${messageOf(error)}.`);
  }
  if (count === 0) throw new Failure(`The CA file ${file} holds no CA certificate in PEM form.`);
  return [pem];
}

/** Runs `steps` in reverse order; one that fails does not keep the others from running. */
async function unwind(steps: (() => Promise<void>)[]): Promise<void> {
  for (const step of steps.reverse()) await step().catch((error: unknown) => console.error(error));
}

/** Any Worker behind the edge. Throws a Failure for a taken port, a bad state folder, damaged CA files, a Worker that does not start. */
export async function startWorkerBehindEdge(options: WorkerBehindEdgeOptions): Promise<WorkerBehindEdge> {
  const ownCas = await readClientCas(options.clientCaFile);
  const folder = await StateFolder.hold(options.stateDir);
  const undo: (() => Promise<void>)[] = [() => folder.release()];
  try {
    const authority = await openAuthority(folder.dir);
    const clientCas = [authority.certificate, ...ownCas];
    const authSecret = await openAuthSecret(folder.dir);
    const edgeSecret = secret();
    // The ports first: they fail fast, and until the Worker is up the edge answers 500 retryable.
    const edge = await startEdge({
      agentsPort: options.agentsPort ?? 0,
      apiPort: options.apiPort ?? 0,
      secret: edgeSecret,
      server: await authority.issueServer(),
      clientCas,
    });
    undo.push(() => edge.close());
    const persistTo = join(folder.dir, "workerd");
    const onStorage = async <T>(made: Promise<T>): Promise<T> =>
      made.catch(async (error: unknown) => {
        throw await storageFailure(persistTo, error);
      });
    const started = await onStorage(
      startRuntime({
        worker: options.worker,
        persistTo,
        bindings: {
          AGENTS_URL: `wss://localhost:${edge.agentsPort}`,
          // People come over TLS, as their cookies want it: by the agents' port, which asks for a certificate and needs none.
          API_URL: `https://localhost:${edge.agentsPort}`,
          AUTH_SECRET: authSecret,
          CA_CERTIFICATE: authority.certificate,
          CA_KEY: authority.key,
          ...options.bindings,
          EDGE_SECRET: edgeSecret,
        },
        onWorkerd: (pid) => void folder.noteWorkerd(pid).catch((error: unknown) => console.error(error)),
      }),
    );
    undo.splice(1, 0, () => started.close());
    for (const [binding, { migrationsDir }] of Object.entries(options.worker.databases)) {
      if (migrationsDir === undefined) continue;
      await onStorage(applyMigrations(await started.miniflare.getD1Database(binding), migrationsDir));
    }
    await started.watchInner((inner) => edge.serve(inner));
    let closing: Promise<void> | undefined;
    return {
      agentsUrl: `wss://localhost:${edge.agentsPort}`,
      apiUrl: `http://localhost:${edge.apiPort}`,
      stateDir: folder.dir,
      folder,
      caFile: authority.certificateFile,
      clientCas,
      authority,
      edge,
      edgeSecret,
      innerUrl: () => {
        const inner = started.inner();
        return inner && `http://${inner.host}:${inner.port}`;
      },
      miniflare: started.miniflare,
      workerdPid: started.workerdPid,
      close: () => {
        closing ??= unwind(undo);
        return closing;
      },
    };
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

/** The account is there from the start, for whoever asks first. */
async function addLocalAccount(miniflare: Miniflare): Promise<void> {
  const database = await miniflare.getD1Database("DB");
  await database
    .prepare("INSERT OR IGNORE INTO accounts (id, name, created_at) VALUES (?1, ?1, ?2)")
    .bind(defaultAccount, Date.now())
    .run();
}

/**
 * An API key with every scope. It is one row, whose secret is another at each start: broker.json says the one of this start, and
 * whatever an older one said opens nothing any more.
 */
async function addLocalKey(miniflare: Miniflare): Promise<string> {
  const id = "embeddedembedded";
  const secretText = secret();
  const hash = createHash("sha256").update(secretText).digest("hex");
  const database = await miniflare.getD1Database("DB");
  await database
    .prepare(
      "INSERT OR REPLACE INTO api_keys (id, account_id, name, secret_hash, scopes, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id, defaultAccount, "npm start", hash, JSON.stringify(scopes), "operator", Date.now())
    .run();
  return `aw_${id}_${secretText}`;
}

/** The embedded broker, ready for agents and announced in `broker.json`. Failures as of `startWorkerBehindEdge`. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const adminToken = secret();
  const worker = options.worker ?? (await describeWorker());
  const running = await startWorkerBehindEdge({
    ...options,
    worker,
    bindings: { ...options.bindings, ADMIN_TOKEN: adminToken },
  });
  try {
    const hasRegistry = worker.databases.DB?.migrationsDir !== undefined;
    if (hasRegistry) {
      await addLocalAccount(running.miniflare);
      await addLocalOwner(running.miniflare);
    }
    const credentials = { adminToken, ...(hasRegistry && { apiKey: await addLocalKey(running.miniflare) }) };
    const { agentsUrl, apiUrl, clientCas } = running;
    await running.folder.publish({ agentsUrl, apiUrl, ...credentials, clientCas: [...clientCas] });
    return { ...running, ...credentials, signInLink: () => signInLink(running.apiUrl, adminToken) };
  } catch (error) {
    await running.close();
    throw error;
  }
}
