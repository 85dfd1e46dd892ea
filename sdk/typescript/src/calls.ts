// Questions to the broker that are no session's: asked over the connection, answered by `in_reply_to`, asked again after a
// reconnect. They change nothing when repeated.
import { encode } from "../../../protocol/wire/codec.ts";
import type { BrokerEnvelope, ClientEnvelope } from "../../../protocol/wire/envelope.ts";
import type { Uuid } from "../../../protocol/wire/ids.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { AgentworksError } from "./error.ts";

type Question = Extract<ClientEnvelope, { type: "CAPABILITY_ANNOUNCE" | "AGENT_QUERY" }>;

export class Calls {
  readonly #open = new Map<Uuid, { line: string; answer: Deferred<BrokerEnvelope> }>();
  readonly #send: (line: string) => void;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  /** Rejects with the broker's refusal, or when the agent ends. */
  ask(question: Question): Promise<BrokerEnvelope> {
    const line = encode(question);
    const answer = deferred<BrokerEnvelope>();
    this.#open.set(question.id, { line, answer });
    this.#send(line);
    return answer.promise;
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

  fail(error: AgentworksError): void {
    const calls = [...this.#open.values()];
    this.#open.clear();
    for (const { answer } of calls) answer.reject(error);
  }
}
