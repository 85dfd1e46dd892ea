// The states of a session and what leads from one to the next, as a table (PROTOCOL, Sessions). Pure.
import type { SessionState } from "../wire/envelope.ts";

export type SessionStep = "accept" | "reject" | "close" | "drained" | "expire" | "end";

const transitions: Record<SessionState, Partial<Record<SessionStep, SessionState>>> = {
  pending: { accept: "active", reject: "rejected", expire: "expired", end: "rejected" },
  active: { close: "closing", expire: "expired", end: "closed" },
  closing: { drained: "closed", expire: "expired", end: "closed" },
  closed: {},
  rejected: {},
  expired: {},
};

/** The state after a step, or undefined: the step does not exist in that state. */
export const afterStep = (state: SessionState, step: SessionStep): SessionState | undefined => transitions[state][step];

/** Work may flow. */
export const isLive = (state: SessionState): boolean => state === "active" || state === "closing";

/** Nothing leads on from here. */
export const isEnded = (state: SessionState): boolean => Object.keys(transitions[state]).length === 0;
