// sessions … and audit: what happens between agents, and who changed what.
import { setTimeout as sleep } from "node:timers/promises";
import { arg, type Command, count, part } from "./command.ts";
import { printable, shortTime, table } from "./output.ts";
import { entriesOf } from "./pages.ts";

interface SessionEntry {
  session_id: string;
  state: string;
  initiator: string;
  responder: string;
  reason: string | null;
  created_at: string;
  updated_at: string;
}

interface Envelope {
  type: string;
  from: string;
  seq: number;
  at: string;
  bytes: number;
  receipts: { delivered: boolean };
}

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
    const sessions = await entriesOf<SessionEntry>(
      api,
      "/v1/sessions?limit=50",
      "sessions",
      count(context.flags, "limit") ?? 50,
    );
    context.output.result({ sessions }, () =>
      table(
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
    const path = `/v1/sessions/${part(arg(context, 0))}`;
    const session = await api.ask<SessionEntry>("GET", path);
    const most = Math.min(count(context.flags, "limit") ?? 50, 200);
    const { envelopes } = await api.ask<{ envelopes: Envelope[] }>("GET", `${path}/timeline?limit=${most}`);
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

const tail: Command = {
  name: "sessions tail",
  args: "",
  summary: "what is happening now: each session that opens, changes or ends, until Ctrl-C",
  help: ["With --json one object a line."],
  example: "agentworks sessions tail",
  takes: [0, 0],
  async run({ target, output, signal }) {
    const { api, name } = await target();
    const seen = new Map<string, string>();
    output.progress(`Watching ${name} (Ctrl-C ends it) …`);
    for (let first = true; !signal.aborted; first = false) {
      const sessions = await entriesOf<SessionEntry>(api, `/v1/sessions?limit=${tailMost}`, "sessions", tailMost);
      for (const one of sessions.reverse()) {
        const mark = `${one.state} ${one.updated_at}`;
        const isNew = seen.get(one.session_id) !== mark;
        seen.set(one.session_id, mark);
        // What is over already is history, which `sessions list` tells.
        if (!isNew || (first && one.state !== "active")) continue;
        const why = one.reason === null ? "" : `  (${printable(one.reason)})`;
        output.result(
          one,
          () =>
            `${shortTime(one.updated_at)}  ${one.state.padEnd(8)}  ${one.initiator} → ${one.responder}  ${one.session_id}${why}\n`,
        );
      }
      const listed = new Set(sessions.map((one) => one.session_id));
      for (const id of seen.keys()) if (!listed.has(id)) seen.delete(id);
      await sleep(tailEveryMs, undefined, { signal }).catch(() => undefined);
    }
  },
};

interface AuditEntry {
  at: string;
  actor: string;
  action: string;
  target: string;
  address: string | null;
}

const audit: Command = {
  name: "audit",
  args: "[--limit N]",
  summary: "who changed what in the account, the newest first",
  help: [limitHelp],
  example: "agentworks audit --limit 20",
  options: { limit: { type: "string" } },
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const entries = await entriesOf<AuditEntry>(
      api,
      "/v1/audit-log?limit=50",
      "entries",
      count(context.flags, "limit") ?? 50,
    );
    context.output.result({ entries }, () =>
      table(
        ["TIME (UTC)", "WHO", "DID", "TO", "FROM"],
        entries.map((one) => [shortTime(one.at), one.actor, one.action, one.target, one.address ?? "-"]),
      ),
    );
  },
};

export const sessionCommands: readonly Command[] = [list, show, tail, audit];
