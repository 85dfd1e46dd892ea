// ask: one task for one agent, asked by an identity that is made for it and ends with it. To try an agent out, not to work with.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certifyAgent } from "../certificates/certify.ts";
import { connect } from "../connect.ts";
import { AgentworksError } from "../error.ts";
import { isRefusal } from "../http/http-api.ts";
import { arg, type Command, count } from "./command.ts";
import type { Output } from "./output.ts";
import type { Target } from "./target.ts";
import { UsageError } from "./usage.ts";

const waitMsDefault = 30_000;

export interface Question {
  agent: string;
  capability: string;
  input: unknown;
  /** How long to wait for the agent, and then for its answer, in milliseconds each. */
  waitMs: number;
  signal: AbortSignal;
}

/** Text that is JSON as JSON, anything else as a string: `--input 5` is a number, `--input "to be"` needs no quotes in quotes. */
export function inputOf(given: string | undefined): unknown {
  if (given === undefined) return null;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}

/** Asks, prints progress as it comes, and returns the result. Rejects as `Task.result` does. */
export async function askOnce(target: Target, question: Question, output: Output): Promise<unknown> {
  const { api, undoing } = target;
  const { agent, capability, input, waitMs, signal } = question;
  const name = `ask-${randomBytes(6).toString("hex")}`;
  const dir = await mkdtemp(join(tmpdir(), "agentworks-ask-"));
  let isMade = false;
  try {
    const identity = await certifyAgent({ api, agent: name, dirOf: () => dir, days: 1 });
    isMade = true;
    const { url, certFile, keyFile, caFile } = identity;
    const bound = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
    const asker = await connect({ url, certFile, keyFile, ...(caFile !== null && { caFile }), signal: bound });
    try {
      output.progress(`Waiting for ${agent} …`);
      const session = await asker.open(agent, { waitMs, signal });
      const task = session.request(capability, input, { signal, deadlineMs: waitMs });
      for await (const step of task.progress) output.progress(`${agent}: ${JSON.stringify(step)}`);
      const result = await task.result;
      await session.close("asked");
      return result;
    } finally {
      await asker.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
    // Where it was interrupted, it may be made.
    if (isMade || signal.aborted) {
      await undoing.request("DELETE /v1/agents/{agent_id}", { path: { agent_id: name } }).catch((error: unknown) => {
        if (isRefusal(error, "agent_not_found")) return;
        const why = error instanceof AgentworksError ? error.message : String(error);
        output.note(
          `The identity ${name}, made for this question, could not be ended (${why}); its certificate lasts a day.`,
        );
      });
    }
  }
}

export const ask: Command = {
  name: "ask",
  args: "AGENT CAPABILITY [INPUT] [--wait SECONDS]",
  summary: "ask an agent for one task, and print what it answers",
  help: [
    "INPUT           JSON, or any text (default null)",
    "--wait SECONDS  how long to wait for the agent, and for its answer (default 30)",
  ],
  example: `agentworks ask summarizer count "to be or not to be"`,
  options: { wait: { type: "string" } },
  takes: [2, 3],
  async run(context) {
    const target = await context.target();
    const waitMs = (count(context.flags, "wait") ?? waitMsDefault / 1000) * 1000;
    if (waitMs === 0) throw new UsageError("--wait takes a second at least.");
    const [agent, capability, input] = [arg(context, 0), arg(context, 1), inputOf(context.args[2])];
    const question = { agent, capability, input, waitMs, signal: context.signal };
    const result = await askOnce(target, question, context.output);
    context.output.result(
      { result },
      () => `${typeof result === "string" ? result : JSON.stringify(result, null, 2)}\n`,
    );
  },
};
