// The public surface, as types: what a program sees of an agent, its sessions and its tasks. No code lives here.
import type { Capability, ListedAgent } from "../../../protocol/wire/envelope.ts";
import type { Backoff } from "./backoff.ts";
import type { CredentialOptions } from "./credentials.ts";
import type { AgentworksError } from "./error.ts";

export interface ConnectOptions extends CredentialOptions {
  /** The broker, `wss://host:port`. */
  url: string;
  /** Gives each session a WebSocket of its own, one hop fewer: for few, busy sessions. Default false. */
  direct?: boolean;
  /** Bounds of the random waits between attempts, in milliseconds; false: the first loss is final. Default 100 ms … 30 s. */
  reconnect?: Backoff | false;
  /**
   * Goes on with the sessions that an earlier life of this agent left open: they come out of `sessions()`, and their open
   * tasks go to the handlers again. Register handlers right after `connect`. Default true.
   */
  recover?: boolean;
  /**
   * Path of a file in which this program remembers its sessions, so that a program that died and starts again with the same file
   * loses and repeats nothing: what it had sent is sent, once; a message that it had taken does not come again; a task whose
   * handler had ended does not run again, and one whose handler had not runs again, with `redelivered`. The file is made (mode
   * 0600) when it is not there; its folder must be. One file for each agent, and the same one in each of its lives. It is handed
   * to the operating system, not forced to the disk: it survives the death of the process, not that of the machine. When it
   * cannot be written any more the agent ends with journal_failed. Default: no journal.
   */
  journal?: string;
  /**
   * Renews the certificate at two thirds of its life, by itself, with a new key: `certFile` and `keyFile` are replaced (mode 0600),
   * and the connection is made anew once; sessions go on. The present one stays valid until its end. Default false.
   */
  renew?: boolean;
  /** Judges an offered session; false or a reason rejects it. Default: every offer of the account's agents is accepted. */
  accept?: (offer: Offer) => boolean | { reject: string };
  /** Ends the attempt to connect. Without it `connect` tries until the broker answers or refuses for good. */
  signal?: AbortSignal;
}

export interface Offer {
  /** The session's id. */
  id: string;
  /** The agent that wants to open it; proven by its certificate. */
  peer: string;
  /** What the peer gave to `open`, unchecked. */
  metadata: unknown;
  capabilities: Capability[];
}

/** What the performer of a task knows of it. */
export interface TaskContext {
  /** The same for every delivery of this task: the key for making side effects idempotent. */
  readonly id: string;
  readonly session: Session;
  readonly requester: string;
  /** True when an earlier life of this agent may have begun it: check what it has done already, by `id`. */
  readonly redelivered: boolean;
  /** When the broker ends the task, if the requester said so. */
  readonly deadline: Date | undefined;
  /** Aborted when the requester cancels or the session ends. Stop then; what is returned all the same still counts. */
  readonly signal: AbortSignal;
  /** Tells the requester how far it is. Resolves when stored; rejects as `Session.send` does. */
  progress(value: unknown): Promise<void>;
}

/**
 * Performs tasks. What it resolves with is the result (JSON); what it throws fails the task: a `TaskFailed` as it is,
 * anything else as reason `handler_failed` with its message, never with its stack.
 */
export type Handler = (input: unknown, task: TaskContext) => unknown;

/** What other agents are told of a capability; `max_concurrency` is also obeyed here: further tasks wait for their turn. */
export type HandleOptions = Partial<Omit<Capability, "name">>;

export interface OpenOptions {
  /** Any JSON, for the peer's `accept` to judge. */
  metadata?: unknown;
  /**
   * How long the offer waits for the peer's answer, in milliseconds, also while the peer is not connected; at most a day.
   * With a capability: how long to try again while nobody has room. Default 0: reject at once when nobody is there.
   */
  waitMs?: number;
  signal?: AbortSignal;
}

/** Whoever announced a capability: the broker picks one that is connected and has the most room, equal ones in turn. */
export interface ByCapability {
  capability: string;
}

/**
 * Something that happened to the connection (with `session`: to the direct connection of that session) or to a session.
 * A `fault` whose error is retryable is told for the record: the SDK deals with it.
 */
export type Status =
  | { type: "connected"; agent: string }
  | { type: "disconnected"; code: number; reason: string; willReconnect: boolean; session?: Session }
  | { type: "reconnecting"; attempt: number; delayMs: number; session?: Session }
  /** The broker asked for a new connection, as before a deploy; it is made at once. */
  | { type: "goaway"; reason: string }
  | { type: "superseded" }
  /** With `renew`: the new certificate is in its files, and the agent connects anew with it. */
  | { type: "certificate_renewed"; notAfter: Date }
  | { type: "session_opened"; session: Session }
  | { type: "session_closed"; session: Session; reason: string; error?: AgentworksError }
  | { type: "paused"; session: Session }
  | { type: "resumed"; session: Session }
  | { type: "fault"; session?: Session; error: AgentworksError };

export interface Agent extends AsyncDisposable {
  /** This agent's id and its account, as its certificate says. */
  readonly id: string;
  readonly account: string;
  /**
   * Performs tasks that ask for `capability`, and announces it. Resolves when the broker has it; it need not be awaited.
   * Handling the same name again replaces the handler. Rejects invalid_argument when the announcement does not fit.
   */
  handle(capability: string, handler: Handler, options?: HandleOptions): Promise<void>;
  /**
   * Opens a session. Resolves when the peer accepted it; `session.peer` says who it is. Rejects with agent_offline,
   * agent_unknown, capability_unknown, capability_busy, offer_rejected, offer_expired, too_many_offers, too_many_sessions,
   * self_session, aborted, agent_draining.
   */
  open(peer: string | ByCapability, options?: OpenOptions): Promise<Session>;
  /** Sessions that peers opened, or an earlier life of this agent. Each goes to one reader; handlers work whether or not anybody reads. */
  sessions(): AsyncIterableIterator<Session>;
  /** All agents of the account, or those that announced `capability`. */
  agents(query?: { capability?: string }): Promise<ListedAgent[]>;
  /** What happens from now on. A reader that falls 1024 behind loses the oldest. */
  status(): AsyncIterableIterator<Status>;
  /**
   * Leaves in good order: refuses what is new, waits for running handlers, closes every session, waits until everything
   * sent is stored, then closes the connection. Waits for the broker as long as it takes, and for no peer but one that
   * leaves a whole window unread: what is behind that is not stored before it reads. An `open` that waits rejects with agent_draining.
   */
  drain(): Promise<void>;
  /** Leaves at once: everything pending rejects with agent_closed. */
  close(): Promise<void>;
}

/** Proof that the broker has something durably. */
export interface Receipt {
  readonly id: string;
  readonly seq: number;
  /** Resolves when the peer's application has taken it; rejects when the session ends before. */
  readonly delivered: Promise<void>;
}

export interface Message {
  readonly content: unknown;
  readonly id: string;
  readonly seq: number;
  /** RFC 3339, when the sender said so. */
  readonly timestamp?: string;
  /** True when an earlier life of this agent may have taken it already. */
  readonly redelivered?: true;
}

export interface RequestOptions {
  /** Aborting it cancels the task; `result` still tells how the task ended. */
  signal?: AbortSignal;
  /** A UUIDv7 of your own: asking again with it never runs the task twice, not even after a crash of this program. */
  task_id?: string;
  /** The task must be done in this time, in milliseconds (at most 24 hours): else `result` rejects with TaskExpired. */
  deadlineMs?: number;
}

/** A task that this agent asked for. None of its promises must be awaited. */
export interface Task<Result = unknown, Progress = unknown> {
  readonly id: string;
  /** Rejects with TaskFailed, TaskCancelled, or an AgentworksError when it could not be sent or its session ended. */
  readonly result: Promise<Result>;
  /** Ends with the task. Of progress that nobody reads the newest 1024 are kept. */
  readonly progress: AsyncIterable<Progress>;
  readonly stored: Promise<Receipt>;
  /** The performer's program has it, and has started its handler. */
  readonly delivered: Promise<void>;
  /** Asks the performer to stop; `result` tells how the task ended. */
  cancel(reason?: string): void;
}

/** How a session ended; `error` unless it was by `close`. */
export interface SessionEnd {
  reason: string;
  error?: AgentworksError;
}

export interface Session {
  readonly id: string;
  readonly peer: string;
  /** What the peer can do, as it said when the session was accepted. */
  readonly capabilities: readonly Capability[];
  /** True for a session that an earlier life of this program had, and that goes on here; then `capabilities` is empty. */
  readonly recovered: boolean;
  /** After recovery: the ids of tasks that the earlier life asked for and that are open. `request` with one waits for it. */
  readonly requested: readonly string[];
  /**
   * How many messages `send` has queued in this session: with a journal, in all lives of this program. Each of them arrives, so
   * a program that numbers its messages goes on after this many.
   */
  readonly sent: number;
  request<Result = unknown, Progress = unknown>(
    capability: string,
    input: unknown,
    options?: RequestOptions,
  ): Task<Result, Progress>;
  /**
   * Sends a message. Resolves when it is stored. Rejects with invalid_argument, envelope_too_large, too_deep,
   * resource_exhausted (8192 messages or 64 MiB wait to be stored), or why the session ended.
   */
  send(content: unknown): Promise<Receipt>;
  /** Resolves when fewer than a window (512) of messages wait to be stored: await it between sends in a loop. */
  readonly ready: Promise<void>;
  /**
   * Messages in order, each once. Taking one acknowledges it, so a slow reader slows the sender down, and so does having no
   * reader. Ends when the session does; throws when that was not by `close`.
   */
  messages(): AsyncIterableIterator<Message>;
  /** Asks the broker to hold back what comes (advice, not a guarantee), and to go on. */
  pause(): void;
  resume(): void;
  /** Says that this side is done; what was sent before still arrives. Resolves when all that this side has
   * said is stored: at once, but for a peer that leaves a whole window unread. Running handlers are aborted. Messages that no reader is there for are dropped; readers
   * that are there may read on, and the session ends when they have read everything or left (`return()`, as `break` does). */
  close(reason?: string): Promise<void>;
  /** Resolves, never rejects, when the session has ended: with the reason given to `close`, or of the failure. */
  readonly closed: Promise<SessionEnd>;
}
