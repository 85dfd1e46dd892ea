// What the processes of a chaos run tell each other over IPC, and how streams are named. Types and pure functions only.
import type { Fact } from "./ledger.ts";

/** One session's place in the run: the same through all incarnations of its agents. */
export interface LinkPlan {
  link: string;
  peer: string;
  /** Whether this agent opens it. */
  opens: boolean;
}

/** Everything that an agent's process is started with. */
export interface AgentPlan {
  agent: string;
  /** 1, and one more after each kill. */
  incarnation: number;
  url: string;
  caFile: string;
  certFile: string;
  keyFile: string;
  direct: boolean;
  /** The SDK's journal, or undefined: the agent goes on from what the broker and its application know. */
  journal: string | undefined;
  seed: number;
  links: LinkPlan[];
  /** Whom it opens short sessions with. */
  peers: string[];
  /** Where it keeps what its application knows: a folder of its own, kept through kills. */
  folder: string;
  /** Messages per second in each direction of each link, on average. */
  rate: number;
}

export type Order = { kind: "settle" } | { kind: "leave" };

/** From an agent's process to the run. */
export type Report =
  | { kind: "ready" }
  | { kind: "counts"; counts: Record<Fact, number>; waiting: number; reconnects: number }
  /** Something that must not happen, and why. */
  | { kind: "trouble"; text: string }
  /** Everything that it sent was stored and taken; every task that it asked for has its outcome. */
  | { kind: "settled" }
  | { kind: "left" };

export const report = (message: Report): void => void process.send?.(message);

const separator = "/";

/** Messages, and requests of tasks. */
export const streamOf = (link: string, agent: string, incarnation: number, kind: "m" | "r"): string =>
  [link, `${agent}.${incarnation}`, kind].join(separator);

/** The steps of one task and, as the last number, its result. */
export const stepsOf = (requests: string, n: number, agent: string, incarnation: number): string =>
  [requests, n, `${agent}.${incarnation}`].join(separator);

/**
 * What nobody can be blamed for. `open`: its sender was killed, or who asked for it, so it has no end. `lost`: steps for a
 * requester that was killed, who may have had them in its memory only.
 */
export function excuseOf(stream: string, lives: (incarnation: string) => boolean): { open: boolean; lost: boolean } {
  const [, origin = "", , , performer] = stream.split(separator);
  const lost = performer !== undefined && !lives(origin);
  return { open: !lives(performer ?? origin) || lost, lost };
}

/**
 * Messages that may be missing in a stream though they were stored: with a journal one for each time that its receiver was
 * killed. It was taken and handed to an application that did not live to note it.
 */
export const holesOf = (stream: string, receiver: AgentPlan): number =>
  receiver.journal !== undefined && stream.endsWith(`${separator}m`) ? receiver.incarnation - 1 : 0;

/** The application's own content. */
export interface Numbered {
  stream: string;
  n: number;
}

export interface Work extends Numbered {
  steps: number;
  stepMs: number;
}
