// The local edge as the main thread has it: a thread of its own (thread.ts) that holds the listeners (listeners.ts). Only
// messages pass between the two; the secret and the server's key go over once, in memory.

import { Worker } from "node:worker_threads";
import { Failure } from "../failure.ts";
import type { InnerAddress } from "./forward.ts";
import type { ConnectionFilter, EdgeConnection, EdgeOptions } from "./listeners.ts";
import type { FromEdge, Question, ToEdge } from "./thread.ts";

export interface Edge {
  readonly agentsPort: number;
  readonly apiPort: number;
  /**
   * Where the Worker listens from now on. Until the first time, and while it is `undefined`, requests are answered `internal`.
   * Resolves when the edge goes by it.
   */
  serve(inner: InnerAddress | undefined): Promise<void>;
  /** Live connections of agents. */
  connections(filter?: ConnectionFilter): Promise<EdgeConnection[]>;
  /** Destroys live connections of agents, as a failing network would: no close frame. Answers how many. */
  cut(filter?: ConnectionFilter): Promise<number>;
  /** Ends the listeners, what is connected to them, and the thread. After that nothing is connected, and `serve` does nothing. */
  close(): Promise<void>;
}

/**
 * Opens both listeners. Throws a Failure that names the port when one cannot be had. What is thrown in the thread later is a bug
 * and ends this process, as if it had been thrown here.
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const thread = new Worker(new URL("./thread.ts", import.meta.url), { name: "edge", workerData: options });
  const opening = Promise.withResolvers<{ agentsPort: number; apiPort: number }>();
  const waiting = new Map<number, (connections: EdgeConnection[]) => void>();
  let isOpen = false;
  let isOver = false;
  let asked = 0;
  let closing: Promise<void> | undefined;

  thread.on("message", (message: FromEdge) => {
    switch (message.say) {
      case "listening":
        return opening.resolve(message);
      case "failure":
        return opening.reject(new Failure(message.sentence));
      case "done":
        waiting.get(message.id)?.(message.connections);
        waiting.delete(message.id);
    }
  });
  thread.once("error", opening.reject);
  thread.once("exit", (code) => {
    isOver = true;
    for (const resolve of waiting.values()) resolve([]);
    const ended = new Error(`The edge's thread ended by itself (${code}).`);
    opening.reject(ended);
    if (isOpen && closing === undefined) throw ended;
  });

  const { agentsPort, apiPort } = await opening.promise.catch(async (error: unknown) => {
    await thread.terminate();
    throw error;
  });
  isOpen = true;
  // Without a listener an error of the thread is thrown in this one.
  thread.off("error", opening.reject);

  const ask = (question: Question): Promise<EdgeConnection[]> =>
    new Promise((resolve) => {
      if (isOver) return resolve([]);
      const id = ++asked;
      thread.postMessage({ ...question, id } satisfies ToEdge);
      waiting.set(id, resolve);
    });
  const end = async (): Promise<void> => {
    await ask({ ask: "close" });
    await thread.terminate();
  };
  return {
    agentsPort,
    apiPort,
    serve: async (inner) => {
      await ask({ ask: "serve", inner });
    },
    connections: (filter = {}) => ask({ ask: "connections", filter }),
    cut: async (filter = {}) => (await ask({ ask: "cut", filter })).length,
    close: () => {
      closing ??= end();
      return closing;
    },
  };
}
