// Opening sessions towards peers, with patience; and judging those that peers offer. Decides; the agent sends.
import { ClientSession } from "../../../protocol/session/client.ts";
import { encode } from "../../../protocol/wire/codec.ts";
import type { FromBroker } from "../../../protocol/wire/envelope.ts";
import { CapabilityName, isAgentId } from "../../../protocol/wire/ids.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type { ByCapability, ConnectOptions, OpenOptions } from "./api.ts";
import { backoffMs } from "./backoff.ts";
import { jsonOf } from "./content.ts";
import { noop } from "./deferred.ts";
import { AgentworksError, clientError } from "./error.ts";
import type { LiveSession } from "./live-session.ts";
import { mint } from "./mint.ts";

const reasonCharsMax = 1024;
const patience = { baseMs: 100, maxMs: 2_000 };

const abortedBy = (signal: AbortSignal) => clientError("aborted", undefined, { cause: signal.reason });

/** Settles as `promise` does, or rejects with `aborted`. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort: (error: AgentworksError) => void = noop,
): Promise<T> {
  if (signal === undefined) return promise;
  let forget = noop;
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => {
      const error = abortedBy(signal);
      onAbort(error);
      reject(error);
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    forget = () => signal.removeEventListener("abort", abort);
  });
  return Promise.race([promise, aborted]).finally(forget);
}

/**
 * Offers a session, and waits for the answer: the broker keeps the offer for a peer that is away. Only where nobody has room for
 * a capability the offer is made anew, until time is up. `begin` puts each offer on its way.
 */
export async function openSession(
  target: string | ByCapability,
  { metadata, waitMs = 0, signal }: OpenOptions,
  begin: (core: ClientSession) => LiveSession,
  random: () => number,
): Promise<LiveSession> {
  const { peer, ...more } = offerTo(target, waitMs);
  if (metadata !== undefined) jsonOf(metadata);
  const deadline = performance.now() + waitMs;
  for (let attempt = 0; ; attempt++) {
    if (signal?.aborted) throw abortedBy(signal);
    const session = begin(ClientSession.offer(mint(), peer, metadata, mint, more));
    try {
      await unlessAborted(session.opened, signal, (error) => session.abandon(error));
      return session;
    } catch (error) {
      const delayMs = backoffMs(patience, attempt, random());
      const again = error instanceof AgentworksError && error.reason === "capability_busy";
      if (!again || performance.now() + delayMs >= deadline) throw error;
      let timer: NodeJS.Timeout | undefined;
      const passed = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, delayMs);
      });
      await unlessAborted(passed, signal).finally(() => clearTimeout(timer));
    }
  }
}

/** What an offer says beside its metadata. @throws invalid_argument */
function offerTo(
  target: string | ByCapability,
  waitMs: number,
): { peer: string | undefined; capability?: string; ttl_ms: number } {
  if (!(waitMs >= 0)) throw clientError("invalid_argument", "`waitMs` is a number of milliseconds, 0 or more.");
  const ttl_ms = Math.min(Math.ceil(waitMs), limits.offerTtlMsMax);
  if (typeof target === "string") {
    if (isAgentId(target)) return { peer: target, ttl_ms };
    throw clientError("invalid_argument", `${target} is no id of an agent.`);
  }
  const { capability } = target;
  if (CapabilityName.safeParse(capability).success) return { peer: undefined, capability, ttl_ms };
  throw clientError("invalid_argument", `${capability} is no name of a capability.`);
}

/** The answer to an offer: a core that accepts it, or the line that rejects it. */
export function judgeOffer(
  offer: FromBroker<"SESSION_INIT">,
  accept: ConnectOptions["accept"],
  refusal: string | undefined,
): { accepted: ClientSession } | { rejected: string } {
  const { id, session_id, from, data } = offer;
  const { capabilities, metadata } = data;
  const asked =
    refusal === undefined ? (accept?.({ id: session_id, peer: from, metadata, capabilities }) ?? true) : false;
  if (asked === true) return { accepted: ClientSession.accept(offer, mint) };
  const message = refusal ?? (asked === false ? undefined : asked.reject.slice(0, reasonCharsMax));
  const head = { id: mint(), session_id, in_reply_to: id } as const;
  return { rejected: encode({ type: "SESSION_REJECT", ...head, data: message === undefined ? {} : { message } }) };
}
