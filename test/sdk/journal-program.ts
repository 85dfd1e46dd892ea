// A program with a journal, in a process of its own, that is killed at any moment. It sends, reads, asks and performs as its plan
// says, and notes what it knows in a file at the moment when it knows it: what it noted survives it.
import { openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type AgentworksError, type ConnectOptions, connect, type Session } from "../../sdk/typescript/src/index.ts";

export interface Plan {
  options: ConnectOptions;
  /** Where it notes. */
  notes: string;
  /** Opens a session with that agent; otherwise it goes on with those that it is given. */
  opens?: string;
  /** Sends messages in each session until it has sent so many in all its lives: their content is their number. */
  sends?: number;
  /** Asks in each session for this task, `work`. */
  asks?: string;
  /** Between two messages that it reads; undefined: it reads none. */
  readMs?: number;
  /** Sends one message after the other until one cannot be, and reads then. */
  fills?: boolean;
}

/** What a task is given: whether its handler waits to be told to end. */
export interface Work {
  waits: boolean;
}

process.once("message", async ({ options, notes, opens, sends = 0, asks, readMs, fills = false }: Plan) => {
  const file = openSync(notes, "a");
  const note = (...words: unknown[]) => void writeSync(file, `${words.join(" ")}\n`);
  const told = Promise.withResolvers<void>();
  process.on("message", () => told.resolve());
  try {
    const agent = await connect(options);
    void agent.handle("work", async (input, { id, redelivered, signal }) => {
      note("began", id, redelivered);
      signal.addEventListener("abort", () => note("aborted", id));
      if ((input as Work).waits) await told.promise;
      note("finished", id);
      return id;
    });
    void (async () => {
      for await (const status of agent.status()) {
        if (status.type === "session_closed") note("over", status.session.id, status.error?.reason ?? status.reason);
      }
    })();
    const send = async (session: Session) => {
      while (session.sent < sends) {
        await session.ready;
        const n = session.sent + 1;
        void session.send(n).then(
          () => note("stored", n),
          () => undefined,
        );
        // As a program that has something else to do now and then.
        if (n % 10 === 0) await sleep(1);
      }
    };
    const read = async (session: Session) => {
      for await (const { content, redelivered = false } of session.messages()) {
        note("got", content, redelivered);
        if (readMs !== undefined && readMs > 0) await sleep(readMs);
      }
    };
    const fill = async (session: Session) => {
      const pad = "x".repeat(1000);
      const isStored = () =>
        session.send(pad).then(
          () => true,
          (error: AgentworksError) => void note("unsent", error.reason),
        );
      for (let n = 1; await isStored(); n++) note("stored", n);
      await session
        .messages()
        .next()
        .catch((error: AgentworksError) => note("unread", error.reason));
    };
    const carry = (session: Session) => {
      note("session", session.id, session.recovered, session.sent, session.requested.join(","));
      if (sends > 0) void send(session);
      if (fills) void fill(session);
      if (readMs !== undefined) void read(session);
      if (asks === undefined) return;
      const { result } = session.request("work", { waits: true } satisfies Work, { task_id: asks });
      void result.then((answer) => note("answer", answer));
    };
    void (async () => {
      for await (const session of agent.sessions()) carry(session);
    })();
    if (opens !== undefined) carry(await agent.open(opens, { waitMs: 10_000 }));
    note("up");
  } catch (error) {
    note("failed", error instanceof Error && "reason" in error ? error.reason : error);
    process.exit(1);
  }
});
