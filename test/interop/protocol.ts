// What runner and drivers say to each other, as types: README.md in the language of the runner. No code lives here.

/** Where a session or a task is named, it is by its id. */
export interface Parameters {
  connect: {
    url: string;
    /** Paths of PEM files. */
    ca: string;
    certificate?: string;
    key?: string;
    direct?: boolean;
    /** Path of the file in which the agent remembers its sessions. */
    journal?: string;
    /** Gives up after that; without it the driver tries for ever. */
    timeout_ms?: number;
  };
  handle: { capability: string; as: string; max_concurrency?: number };
  agents: { capability?: string };
  open: { peer?: string; capability?: string; metadata?: unknown; wait_ms?: number };
  session: { session: string };
  request: { session: string; capability: string; input: unknown; task?: string; deadline_ms?: number };
  started: { task: string };
  result: { task: string };
  cancel: { task: string; reason?: string };
  release: { task: string };
  runs: object;
  send: { session: string; from: number; to: number; pad?: number; wait?: "queued" | "stored" | "delivered" };
  receive: { session: string; from: number; to: number; each_ms?: number };
  pause: { session: string };
  resume: { session: string };
  close: { session: string; reason?: string };
  ended: { session: string };
  statuses: { until?: string; count?: number };
  drain: object;
  leave: object;
}

export interface Outcome {
  /** `refused`: it could not be sent, or its session ended. */
  outcome: "succeeded" | "failed" | "cancelled" | "expired" | "refused";
  result?: unknown;
  error?: { reason: string; message: string; retryable?: boolean | undefined };
  progress: unknown[];
}

export interface Run {
  task: string;
  capability: string;
  requester: string;
  redelivered: boolean;
  aborted: boolean;
}

export interface Seen {
  received: number;
  lost: number;
  duplicated: number;
  out_of_order: number;
  redelivered: number;
}

export interface Values {
  connect: { agent: string; account: string };
  handle: object;
  agents: { agents: string[] };
  open: { session: string; peer: string; capabilities: string[] };
  session: { peer: string; recovered: boolean; requested: string[] };
  request: { task: string };
  started: object;
  result: Outcome;
  cancel: object;
  release: object;
  runs: { runs: Run[] };
  send: { sent: number };
  receive: Seen;
  pause: object;
  resume: object;
  close: object;
  ended: { reason: string; error?: string };
  statuses: { statuses: string[] };
  drain: object;
  leave: object;
}

export type Name = keyof Parameters;

export type Commands = { [N in Name]: (parameters: Parameters[N]) => Promise<Values[N]> };

/** One line on a driver's stdin. */
export type Command<N extends Name = Name> = { id: number; do: N } & Parameters[N];

export interface Failing {
  /** As of the SDK's errors; `driver_failed` for a bug of the driver's. */
  reason: string;
  detail: string;
  retryable?: boolean;
}

/** One line on its stdout. */
export type Answer<N extends Name = Name> = { id: number } & ({ value: Values[N] } | { error: Failing });
