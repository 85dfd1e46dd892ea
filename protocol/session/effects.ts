// What the broker's core asks its adapter to do, and what it needs back to live on after its memory was lost. Types only.
// Effects come as one list that is carried out in order: rows, then frames, then notices (PROTOCOL, "Store, then ack, then forward").
import type { Capability, SessionState } from "../wire/envelope.ts";
import type { ErrorReason } from "../wire/errors.ts";
import type { AgentId, Uuid } from "../wire/ids.ts";
import type { Redrive } from "./redrive.ts";
import type { Slotted } from "./ring.ts";
import type { Side, TaskRecord } from "./tasks.ts";
import type { Timers } from "./timers.ts";

/** Names one attachment of one side: a connection of its agent, or a direct socket. Compared, never read. */
export type AttachKey = string;

/** What a session has carried since it began: cumulative, so a receiver applies the difference to what it knew, once. */
export interface Usage {
  /** Work envelopes that were accepted, SESSION_CLOSE left out; of either side. */
  messages: number;
  /** UTF-8 bytes of their `data`. */
  bytes: number;
  /** Tasks that were opened. */
  tasks: number;
}

/** A numbered report: of two reports of a session the one with the higher number has the later totals. */
export interface UsageReport extends Usage {
  number: number;
}

/** Cursors of both directions (index: the side that sends in it). Every row carries a copy, so they cost no writes. */
export interface Cursors {
  /** Counts the copies: the latest one is the one to restore from. */
  version: number;
  /** The receiver acknowledged everything through this. */
  acked: [number, number];
  /** The highest `seq` that the sender was allowed. */
  granted: [number, number];
  /** What the receiver's present attachment was sent. */
  sent: [number, number];
  /** Counted in the very write that accepts: nothing is metered twice, or not at all. */
  usage: Usage;
}

/** The part of a row that stays in memory. */
export interface RowMeta extends Slotted {
  /** `seq` towards the receiver; an empty row (last = first − 1) only records that `origin` was accepted. */
  first: number;
  last: number;
  /** The sender's `seq` that is accepted with this row. */
  origin: number;
  bytes: number;
}

/** One inbound frame (or one of the broker's own), as stored: `body` is what will be sent, one envelope a line. */
export interface Row extends RowMeta {
  /** The side that sent it. */
  stream: Side;
  at: number;
  body: string;
  cursors: Cursors;
}

/** Everything about a session that is not in its rows. Written when it changes, never per message. */
export interface SessionRecord {
  session_id: Uuid;
  agents: [AgentId, AgentId];
  state: SessionState;
  epoch: string;
  /** The id of the SESSION_INIT, that answers refer to. */
  init_id: Uuid;
  /** The id of the SESSION_ACCEPT: the same one again is a repetition, another one is a second ACCEPT. */
  accept_id?: Uuid;
  capabilities: [Capability[], Capability[]];
  /** The offer as the responder gets it; sent again when the initiator asks again. */
  offer: string;
  /** The offer may wait for a responder that is not connected. */
  waits?: boolean;
  /** What the session is for, where the initiator said it. */
  capability?: string;
  attach: [AttachKey | null, AttachKey | null];
  /** When each side was last told that something may be lost on its way to it (A9; epoch milliseconds). */
  doubted?: [number, number];
  /** When its sides were last asked what they have, before it expires (epoch milliseconds). */
  asked_at?: number;
  /** Sides that asked for PAUSE. */
  paused: [boolean, boolean];
  /** Who closed, and the `seq` of its SESSION_CLOSE towards the other side. */
  close?: { by: Side; seq: number };
  /** Why it was rejected, expired or closed, and when (epoch milliseconds). `session_expired`: no work for too long (N11). */
  ended?: { reason: ErrorReason | "closed" | "session_expired"; message?: string; at?: number };
  /** Which sessions its dead letters went into, oldest first. */
  redrives?: readonly Redrive[];
  created_at: number;
  /** Messages of the latest usage report. */
  reported?: number;
  timers: Timers;
}

/** An offer as the responder's agent keeps it. */
export interface Offer {
  session_id: Uuid;
  /** The SESSION_INIT that the responder gets. */
  line: string;
  /** When it expires (epoch milliseconds). */
  until: number;
  /** It may wait for an agent that is not connected. */
  waits: boolean;
  /** What the session is for, where it was said: the agent has room for so many (`max_concurrency`). */
  capability?: string;
}

/** What a session is restored from. */
export interface Saved {
  record: SessionRecord;
  /** The latest of all stored copies (the greatest `version`), or undefined where none was stored yet. */
  cursors: Cursors | undefined;
  /** Rows of each direction, in ascending order. */
  rows: [RowMeta[], RowMeta[]];
}

export type Effect =
  // rows
  | { do: "store"; row: Row }
  | { do: "forget"; stream: Side; rows: Slotted[] }
  | { do: "task"; task: TaskRecord }
  /** Every open task of the session is cancelled. */
  | { do: "cancelTasks" }
  /** Dead letters of `source` were taken through this `seq` of theirs, into the stream of that side. */
  | { do: "redriven"; source: Uuid; stream: Side; through: number }
  | { do: "record"; record: SessionRecord }
  | { do: "cursors"; cursors: Cursors }
  // frames
  /** Answers to whoever sent the frame; may overtake, or be overtaken by, `send`. */
  | { do: "reply"; lines: string[] }
  /** Frames to an attachment, in order. */
  | { do: "send"; to: Side; attach: AttachKey; frames: string[] }
  /** The stored envelopes first…last to an attachment, in order with `send`. */
  | { do: "replay"; to: Side; attach: AttachKey; first: number; last: number }
  | { do: "close"; to: Side; attach: AttachKey; code: number; reason: string }
  // notices
  /** Hand the offer to the responder's agent; answer by `offerMade`, or by `offerFailed` where that does not take it. */
  | ({ do: "offer"; to: AgentId } & Offer)
  /** Tell D1 and both agents about the session's state; answer by `indexed`. */
  | { do: "index"; record: SessionRecord; report: UsageReport }
  /** Forget the session: nothing is left of it, here or in D1. What fails is asked for again. */
  | { do: "erase"; session_id: Uuid };

/** The effects of one event, and when to wake the session next (epoch ms), if at all. */
export interface Output {
  effects: Effect[];
  deadline: number | undefined;
}
