// One Worker on one workerd, through Miniflare: started, watched, and ended with this process whatever ends it.

import { AsyncLocalStorage } from "node:async_hooks";
import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import type { InnerAddress } from "../edge/forward.ts";
import { Failure, messageOf } from "../failure.ts";
import { tieToThisProcess } from "./process.ts";
import { bundle, type WorkerDescription } from "./worker.ts";

export interface RuntimeOptions {
  worker: WorkerDescription;
  /** Where D1 and the objects are kept. */
  persistTo: string;
  /** Text bindings. */
  bindings: Record<string, string>;
  /** Called with the pid of every workerd that is started, also after a crash of workerd. */
  onWorkerd?: (pid: number) => void;
}

/** Told where the Worker listens by now; `undefined` while it is not up. Never rejects. */
export type InnerWatcher = (inner: InnerAddress | undefined) => Promise<void>;

export interface Runtime {
  readonly miniflare: Miniflare;
  /** Where the Worker listens; `undefined` while it is not up. */
  inner(): InnerAddress | undefined;
  /** From now on `watcher` is told of each change; resolves when it knows how things stand now. */
  watchInner(watcher: InnerWatcher): Promise<void>;
  /** `undefined` between a crash of workerd and its restart. */
  workerdPid(): number | undefined;
  close(): Promise<void>;
}

// Miniflare keeps its child to itself. Node tells of every child on a channel; the asynchronous context in which Miniflare
// was made tells whose child it is, so that several runtimes in one process do not mix up theirs.
const births = new AsyncLocalStorage<(child: ChildProcess) => void>();
subscribe("child_process", (message) => {
  const { process: child } = message as { process: ChildProcess };
  births.getStore()?.(child);
});

/**
 * Miniflare exits the process on a signal, before an orderly end is through. Signals are the command's business; that
 * workerd dies with this process is seen to by `tieToThisProcess`.
 */
function leavingSignalsAlone<T>(make: () => T): T {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const before = signals.map((signal) => new Set(process.listeners(signal)));
  const made = make();
  signals.forEach((signal, i) => {
    for (const listener of process.listeners(signal)) if (!before[i]?.has(listener)) process.off(signal, listener);
  });
  return made;
}

function miniflareOptions(options: RuntimeOptions, script: string, onRestart: () => Promise<void>): MiniflareOptions {
  const { worker } = options;
  const classes = Object.values(worker.durableObjects);
  const text = (value: string) => ({ type: "text" as const, value });
  return {
    host: "127.0.0.1",
    port: 0,
    // Otherwise Miniflare fetches a sample of request.cf from the network.
    cf: false,
    logRequests: false,
    log: new Log(LogLevel.WARN),
    enableDevRegistry: false,
    telemetry: { enabled: false },
    resourcePersistencePath: options.persistTo,
    unsafeHandleRuntimeRestart: onRestart,
    workers: [
      {
        config: {
          name: worker.name,
          compatibilityDate: worker.compatibilityDate,
          compatibilityFlags: worker.compatibilityFlags,
          manifest: { mainModule: "index.mjs", modules: { "index.mjs": { type: "esm", contents: script } } },
          env: {
            ...Object.fromEntries(Object.entries(options.bindings).map(([name, value]) => [name, text(value)])),
            ...Object.fromEntries(
              Object.entries(worker.durableObjects).map(([name, exportName]) => [
                name,
                { type: "durable-object" as const, worker: worker.name, exportName },
              ]),
            ),
            ...Object.fromEntries(
              Object.entries(worker.databases).map(([name, { id }]) => [name, { type: "d1" as const, id }]),
            ),
          },
          exports: Object.fromEntries(
            classes.map((name) => [name, { type: "durable-object" as const, storage: "sqlite" as const }]),
          ),
        },
        // A socket straight to the Worker: Miniflare's own front would cost every connection a hop.
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
    ],
  };
}

/** Between looks at a workerd that died: Miniflare starts another at once, which takes a second or two. */
const reviveEveryMs = 250;

/** Bundles and starts a Worker. Throws a Failure when it does not build or the runtime does not come up. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const script = await bundle(options.worker.entry);
  let workerd: ChildProcess | undefined;
  let inner: InnerAddress | undefined;
  let watcher: InnerWatcher = async () => undefined;
  const moveInner = (to: InnerAddress | undefined): Promise<void> => {
    inner = to;
    return watcher(to);
  };
  let isReviving = false;
  const closing = new AbortController();
  const adopt = (child: ChildProcess): void => {
    child.once("spawn", () => {
      if (child.pid === undefined || !basename(child.spawnfile).startsWith("workerd")) return;
      workerd = child;
      const release = births.exit(() => tieToThisProcess(child.pid ?? 0));
      child.once("exit", () => {
        release();
        if (workerd !== child) return;
        workerd = undefined;
        void moveInner(undefined);
        if (!isReviving) void births.exit(revive);
      });
      options.onWorkerd?.(child.pid);
    });
  };
  const locate = async (miniflare: Miniflare): Promise<void> => {
    const url = await miniflare.unsafeGetDirectURL();
    await moveInner({ host: url.hostname, port: Number(url.port) });
  };
  const miniflareSetup = miniflareOptions(options, script, () => locate(miniflare));
  const miniflare: Miniflare = births.run(adopt, () => leavingSignalsAlone(() => new Miniflare(miniflareSetup)));
  let isUp = false;
  /** Miniflare starts another workerd for one that died, but gives up when that one dies while it starts: then it is told to. */
  const revive = async (): Promise<void> => {
    isReviving = true;
    while (inner === undefined && !closing.signal.aborted) {
      await sleep(reviveEveryMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      // `ready` waits for a start that is under way, and rejects after one that failed.
      const failed = await miniflare.ready.then(
        () => false,
        () => isUp && !closing.signal.aborted,
      );
      if (failed) {
        await births.run(adopt, () => miniflare.setOptions(miniflareSetup)).catch(() => undefined);
        await locate(miniflare).catch(() => undefined);
      }
    }
    isReviving = false;
  };
  try {
    await miniflare.ready;
    await locate(miniflare);
    isUp = true;
  } catch (error) {
    closing.abort();
    await miniflare.dispose().catch(() => undefined);
    throw new Failure(`The Worker does not start: ${messageOf(error)}`);
  }
  return {
    miniflare,
    inner: () => inner,
    watchInner: (told) => {
      watcher = told;
      return watcher(inner);
    },
    workerdPid: () => workerd?.pid,
    close: () => {
      closing.abort();
      return miniflare.dispose();
    },
  };
}
