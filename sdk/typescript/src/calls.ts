// Questions to the broker that are no session's: asked over the connection, answered by `in_reply_to`, asked again after a
// reconnect. They change nothing when repeated.
import { encode } from "../../../protocol/wire/codec.ts";
import type { BrokerEnvelope, ClientEnvelope, ListedAgent } from "../../../protocol/wire/envelope.ts";
import type { Uuid } from "../../../protocol/wire/ids.ts";
import { type Deferred, deferred, rejected } from "./deferred.ts";
import { AgentworksError, clientError } from "./error.ts";
import { mint } from "./mint.ts";

const pageSize = 50;

type Question = Extract<ClientEnvelope, { type: "CAPABILITY_ANNOUNCE" | "AGENT_QUERY" }>;

export class Calls {
  readonly #open = new Map<Uuid, { line: string; answer: Deferred<BrokerEnvelope> }>();
  readonly #send: (line: string) => void;
  #failed: AgentworksError | undefined;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  /** Rejects with the broker's refusal, or when the agent ends. */
  ask(question: Question): Promise<BrokerEnvelope> {
    if (this.#failed !== undefined) return rejected(this.#failed);
    const line = encode(question);
    const answer = deferred<BrokerEnvelope>();
    this.#open.set(question.id, { line, answer });
    this.#send(line);
    return answer.promise;
  }

  /** All agents, or those that announced `capability`, page by page. */
  async listAgents(capability: string | undefined): Promise<ListedAgent[]> {
    const found: ListedAgent[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const data = { limit: pageSize, ...(capability !== undefined && { capability }), ...(cursor && { cursor }) };
      const answer = await this.ask({ type: "AGENT_QUERY", id: mint(), data });
      if (answer.type !== "AGENT_LIST") throw clientError("unreadable", `AGENT_QUERY was answered by ${answer.type}.`);
      found.push(...answer.data.agents);
      cursor = answer.data.next;
    }
    return found;
  }

  /** What is asked and not answered: a new connection asks it again. */
  get lines(): string[] {
    return Array.from(this.#open.values(), (call) => call.line);
  }

  /** True when the envelope answers a question. */
  answered(envelope: BrokerEnvelope): boolean {
    const asked = "in_reply_to" in envelope ? envelope.in_reply_to : undefined;
    const call = asked === undefined ? undefined : this.#open.get(asked);
    if (asked === undefined || call === undefined) return false;
    this.#open.delete(asked);
    if (envelope.type === "ERROR") call.answer.reject(new AgentworksError(envelope.data));
    else call.answer.resolve(envelope);
    return true;
  }

  /** No answer will come any more, to anything. */
  fail(error: AgentworksError): void {
    this.#failed = error;
    const calls = [...this.#open.values()];
    this.#open.clear();
    for (const { answer } of calls) answer.reject(error);
  }
}
