// What the objects say to each other. Types only; all of it crosses an RPC hop by structured clone.
import type { Capability } from "../protocol/wire/envelope.ts";

/** Who sent a frame, as its `AgentObject` knows. */
export interface Sender {
  account: string;
  agent: string;
  /** The key of the connection: the session takes it for the attachment. */
  connection: string;
  /** What the agent announced; only where the frame opens or accepts a session. */
  capabilities?: Capability[];
  /** The frame is for every session that is attached to this connection; one that is attached elsewhere ignores it (W7). */
  toAll?: boolean;
}

/** The session's answer to the sender. Frames meant for an attachment go by `deliver`, in order; these may overtake them. */
export interface Answer {
  frames: string[];
  /** The sender's connection must be closed. */
  close?: { code: number; reason: string };
  /** Whether the session is the sender's, and has not ended. */
  open: boolean;
}

/** What an `AgentObject` keeps of a session. */
export interface SessionNotice {
  account: string;
  session_id: string;
  peer: string;
  /** active or closing; else it is taken off the list. */
  live: boolean;
  /** What the agent was asked for, as the responder. */
  capability?: string;
}

/** The room of an agent that is connected. */
export interface Room {
  /** Sessions that it takes besides those that it has, for the capability in question; may be infinite. */
  free: number;
  /** All that it has, and was offered. */
  sessions: number;
}

/** What a caller of the HTTP API may still ask. */
export interface Allowance {
  admitted: boolean;
  limit: number;
  remaining: number;
  /** Until all of the limit is there again. */
  resetSeconds: number;
}
