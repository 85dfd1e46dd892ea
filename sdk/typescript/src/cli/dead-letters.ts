// sessions dead-letters, redrive, close: what an ended session left undelivered, and its way into another one.
import { arg, type Command, count, text } from "./command.ts";
import { shortTime, table } from "./output.ts";
import { first } from "./pages.ts";
import { exitCodes, UsageError } from "./usage.ts";

const list: Command = {
  name: "sessions dead-letters",
  args: "SESSION [--payloads] [--limit N]",
  summary: "what an ended session left undelivered, and why",
  help: ["--payloads  with what was in them (--json)", "--limit N   at most so many (default 200)"],
  example: "agentworks sessions dead-letters 019a…",
  options: { payloads: { type: "boolean", default: false }, limit: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const { api } = await context.target();
    const payloads = context.flags.payloads === true ? ("true" as const) : undefined;
    const listed = api.list("GET /v1/sessions/{session_id}/dead-letters", {
      path: { session_id: arg(context, 0) },
      query: { payloads },
    });
    const dead_letters = await first(listed, count(context.flags, "limit") ?? 200);
    context.output.result({ dead_letters }, () =>
      dead_letters.length === 0
        ? "No dead letters: it lives, or everything was delivered.\n"
        : table(
            ["STORED (UTC)", "FROM", "TYPE", "BYTES", "WHY", "REDRIVE"],
            dead_letters.map((one) => [
              shortTime(one.at),
              one.from,
              one.type,
              String(one.bytes),
              one.reason,
              one.redriven_to ?? (one.redrivable ? "possible" : "-"),
            ]),
          ),
    );
  },
};

const redrive: Command = {
  name: "sessions redrive",
  args: "SESSION --into SESSION",
  summary: "send an ended session's dead letters again, into another one of the same two agents, each once",
  help: [
    "--into SESSION  an active session between the same two agents",
    "Safe to repeat. Ends with 1 while some are left for want of room.",
  ],
  example: "agentworks sessions redrive 019a… --into 019b…",
  options: { into: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const into = text(context.flags, "into");
    if (into === undefined) throw new UsageError("Name the session that they go into: --into SESSION.");
    const { api } = await context.target();
    const done = await api.request("POST /v1/sessions/{session_id}/dead-letters/redrive", {
      path: { session_id: arg(context, 0) },
      body: { session_id: into },
    });
    context.output.result(
      done,
      () => `${done.redriven} sent, ${done.skipped} skipped, ${done.remaining} left for want of room.\n`,
    );
    return done.remaining === 0 ? exitCodes.done : exitCodes.failed;
  },
};

const close: Command = {
  name: "sessions close",
  args: "SESSION --yes",
  summary: "end a session at once; what was not delivered is dead letters",
  help: ["--yes  both agents lose it, whatever is under way, so it must be said"],
  example: "agentworks sessions close 019a… --yes",
  options: { yes: { type: "boolean", default: false } },
  takes: [1, 1],
  async run(context) {
    const session_id = arg(context, 0);
    if (context.flags.yes !== true) throw new UsageError(`Both agents lose session ${session_id}: add --yes.`);
    const { api } = await context.target();
    const session = await api.request("POST /v1/sessions/{session_id}/close", { path: { session_id } });
    context.output.result(session, () => `${session_id} is ${session.state} (${session.reason ?? "-"}).\n`);
  },
};

export const deadLetterCommands: readonly Command[] = [list, redrive, close];
