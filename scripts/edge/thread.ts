// The edge's thread: the listeners, and the messages by which the main thread (edge.ts) has them. A thread has a heap of its own:
// the network buffers of a busy edge make V8 collect all of it some three times a second, and in the main thread that would be
// Miniflare's 70 MB each time.

import { parentPort, workerData } from "node:worker_threads";
import { Failure } from "../failure.ts";
import type { InnerAddress } from "./forward.ts";
import { type ConnectionFilter, type EdgeConnection, openListeners } from "./listeners.ts";

export type Question =
  | { ask: "serve"; inner: InnerAddress | undefined }
  | { ask: "connections"; filter: ConnectionFilter }
  | { ask: "cut"; filter: ConnectionFilter }
  | { ask: "close" };

/** What the thread is told, in its order. Each is answered by one `done`. */
export type ToEdge = Question & { id: number };

/** What it says: first one of `listening` and `failure`. */
export type FromEdge =
  | { say: "listening"; agentsPort: number; apiPort: number }
  | { say: "failure"; sentence: string }
  /** `connections`: those that the question was about. */
  | { say: "done"; id: number; connections: EdgeConnection[] };

const main = parentPort;
if (main === null) throw new Error("thread.ts is a thread: startEdge starts it.");
const say = (message: FromEdge): void => main.postMessage(message);

let inner: InnerAddress | undefined;
try {
  const listeners = await openListeners(workerData, () => inner);
  const answer = async (question: Question): Promise<EdgeConnection[]> => {
    switch (question.ask) {
      case "serve":
        inner = question.inner;
        return [];
      case "connections":
        return listeners.connections(question.filter);
      case "cut":
        return listeners.cut(question.filter);
      case "close":
        await listeners.close();
        return [];
    }
  };
  main.on("message", async ({ id, ...question }: ToEdge) => {
    say({ say: "done", id, connections: await answer(question) });
  });
  say({ say: "listening", agentsPort: listeners.agentsPort, apiPort: listeners.apiPort });
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say({ say: "failure", sentence: error.message });
}
