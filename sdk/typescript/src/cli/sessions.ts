// sessions …: what happens between agents.
import { setTimeout as sleep } from "node:timers/promises";
import { AgentworksError } from "../error.ts";
import { isRefusal } from "../http/http-api.ts";
import type { SessionEntry } from "../http/operations.ts";
import { arg, type Command, type Context, count } from "./command.ts";
import { printable, shortTime, table } from "./output.ts";
import { first } from "./pages.ts";
import type { Target } from "./target.ts";
import { CredentialsMissing, exitCodes } from "./usage.ts";

const tailEveryMs = 1000;
/** So many of the newest sessions are looked at for changes. */
const tailMost = 100;

const limitHelp = "--limit N  at most so many (default 50)";

const list: Command = {
  name: "sessions list",
  args: "[--limit N]",
  summary: "the sessions of the account, the newest first",
  help: [limitHelp],
  example: "agentworks sessions list --limit 10",
  options: { limit: { type: "string" } },
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const listed = api.list("GET /v1/sessions", { query: { limit: 50 } });
    const sessions = await first(listed, count(context.flags, "limit") ?? 50);
    context.output.result({ sessions }, () =>
      sessions.length === 0
        ? "No sessions yet: an offer is listed once it was answered.\n"
        : table(
            ["SESSION", "STATE", "FROM", "TO", "OPENED (UTC)", "REASON"],
            sessions.map((one) => [
              one.session_id,
              one.state,
              one.initiator,
              one.responder,
              shortTime(one.created_at),
              one.reason ?? "-",
            ]),
          ),
    );
  },
};

const show: Command = {
  name: "sessions show",
  args: "SESSION [--limit N]",
  summary: "one session: its state, and what it stored",
  help: [limitHelp],
  example: "agentworks sessions show 019a…",
  options: { limit: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const { api } = await context.target();
    const path = { session_id: arg(context, 0) };
    const session = await api.request("GET /v1/sessions/{session_id}", { path });
    const timeline = api.list("GET /v1/sessions/{session_id}/timeline", { path });
    const envelopes = await first(timeline, count(context.flags, "limit") ?? 50);
    context.output.result({ session, envelopes }, () => {
      const rows = envelopes.map((one) => [
        shortTime(one.at),
        one.from,
        String(one.seq),
        one.type,
        String(one.bytes),
        one.receipts.delivered ? "delivered" : "stored",
      ]);
      const head = `${session.session_id}: ${session.state}, ${session.initiator} → ${session.responder}\n\n`;
      return head + table(["STORED (UTC)", "FROM", "SEQ", "TYPE", "BYTES", "RECEIPT"], rows);
    });
  },
};

/** Where a tail looks, look after look: an embedded broker that was started again has another key and, it may be, another port. */
class Watched {
  #target: Target;
  readonly #find: Context["target"];
  /** The latest look was refused the key that broker.json had. */
  #wasRefused = false;

  constructor(target: Target, find: Context["target"]) {
    this.#target = target;
    this.#find = find;
  }

  get name(): string {
    return this.#target.name;
  }

  get #isEmbedded(): boolean {
    return this.#target.clientCas !== undefined;
  }

  /** The newest sessions. */
  look(): Promise<SessionEntry[]> {
    return first(this.#target.api.list("GET /v1/sessions", { query: { limit: tailMost } }), tailMost);
  }

  /** The same; undefined while nobody answers who may answer later. Rejects with what waiting does not change. */
  async lookAgain(): Promise<SessionEntry[] | undefined> {
    try {
      if (this.#isEmbedded) {
        const found = await this.#find();
        // While no broker runs in this folder, what is found is that of a login: another API.
        if (found.clientCas === undefined) return undefined;
        this.#target = found;
      }
      const sessions = await this.look();
      this.#wasRefused = false;
      return sessions;
    } catch (error) {
      if (this.#passes(error)) return undefined;
      throw error;
    }
  }

  #passes(error: unknown): boolean {
    if (error instanceof CredentialsMissing) return this.#isEmbedded;
    // It may have been started again after its key was read; the next look reads the one that is valid now.
    const wasRefused = this.#wasRefused;
    this.#wasRefused = isRefusal(error, "credentials_invalid");
    if (this.#wasRefused) return this.#isEmbedded && !wasRefused;
    return error instanceof AgentworksError && error.retryable;
  }
}

const tail: Command = {
  name: "sessions tail",
  args: "",
  summary: "what is happening now: each session that opens, changes or ends, until Ctrl-C",
  help: ["With --json one object a line. A broker that goes away is waited for."],
  example: "agentworks sessions tail",
  takes: [0, 0],
  async run({ target, output, signal }) {
    const watched = new Watched(await target(), target);
    const seen = new Map<string, string>();
    output.progress(`Watching ${watched.name} (Ctrl-C ends it) …`);
    let isAway = false;
    for (let begins = true; !signal.aborted; begins = false) {
      const sessions = await (begins ? watched.look() : watched.lookAgain()).catch((error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      });
      if (signal.aborted) break;
      if (isAway !== (sessions === undefined)) {
        isAway = !isAway;
        output.progress(
          isAway ? `${watched.name} does not answer: waiting for it …` : `${watched.name} answers again.`,
        );
      }
      for (const one of sessions?.reverse() ?? []) {
        const mark = `${one.state} ${one.updated_at}`;
        const isNew = seen.get(one.session_id) !== mark;
        seen.set(one.session_id, mark);
        // What is over already is history, which `sessions list` tells.
        if (isNew && (!begins || one.state === "active")) output.result(one, () => tailLine(one));
      }
      if (sessions !== undefined) {
        const listed = new Set(sessions.map((one) => one.session_id));
        for (const id of seen.keys()) if (!listed.has(id)) seen.delete(id);
      }
      await sleep(tailEveryMs, undefined, { signal }).catch(() => undefined);
    }
    return exitCodes.done;
  },
};

const tailLine = ({ updated_at, state, initiator, responder, session_id, reason }: SessionEntry): string => {
  const why = reason === null ? "" : `  (${printable(reason)})`;
  return `${shortTime(updated_at)}  ${state.padEnd(8)}  ${initiator} → ${responder}  ${session_id}${why}\n`;
};

export const sessionCommands: readonly Command[] = [list, show, tail];
