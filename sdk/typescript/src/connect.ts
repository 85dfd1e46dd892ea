// The one way in: checks what the caller gave, reads what is in files, and waits until the broker knows the agent.
import { limits } from "../../../protocol/wire/limits.ts";
import type { Agent, ConnectOptions } from "./api.ts";
import { type IdentityFiles, settleIdentity } from "./certificates/files.ts";
import { Renewal } from "./certificates/renewal.ts";
import { readCredentials } from "./credentials.ts";
import { clientError } from "./error.ts";
import { Journal } from "./journal.ts";
import { LiveAgent } from "./live-agent.ts";
import type { Timing } from "./socket.ts";

const usualTiming: Timing = {
  heartbeatIntervalMs: limits.heartbeatIntervalMs,
  heartbeatTimeoutMs: limits.heartbeatTimeoutMs,
  ackStallMs: limits.ackStallMs,
  deliveryStallMs: limits.deliveryStallMs,
};

function connectUrl(url: string): URL {
  if (!URL.canParse(url)) throw clientError("invalid_argument", `${url} is no URL.`);
  const parsed = new URL("/v1/connect", url);
  if (parsed.protocol !== "wss:")
    throw clientError("invalid_argument", "`url` begins with wss: mutual TLS is mandatory.");
  return parsed;
}

/** The files that are renewed, where that is wanted. */
function renewableFiles({
  renew = false,
  reconnect,
  certFile,
  keyFile,
  cert,
  key,
}: ConnectOptions): IdentityFiles | undefined {
  if (!renew) return undefined;
  if (certFile === undefined || keyFile === undefined || cert !== undefined || key !== undefined) {
    throw clientError("invalid_argument", "Give `certFile` and `keyFile`: `renew` writes the new certificate there.");
  }
  if (reconnect === false) {
    throw clientError(
      "invalid_argument",
      "`renew` makes the connection anew with each certificate: leave `reconnect` on.",
    );
  }
  return { certFile, keyFile };
}

/** `connect` with clocks of one's own: for tests. */
export async function connectWith(options: ConnectOptions, timing: Timing): Promise<Agent> {
  const { direct = false, recover = true, accept, signal } = options;
  const url = connectUrl(options.url);
  const reconnect = options.reconnect ?? { baseMs: limits.reconnectBaseMs, maxMs: limits.reconnectMaxMs };
  const files = renewableFiles(options);
  if (files !== undefined) await settleIdentity(files);
  const credentials = { current: await readCredentials(options) };
  if (signal?.aborted) throw clientError("aborted", undefined, { cause: signal.reason });
  if (options.journal !== undefined && !recover)
    throw clientError("invalid_argument", "A journal is for going on with earlier sessions: leave `recover` true.");
  const journal = options.journal === undefined ? undefined : new Journal(options.journal);
  const random = Math.random;
  const renewal = files && new Renewal(url, files, credentials.current, random);
  const setup = { url, credentials, timing, reconnect, direct, recover, accept, journal, renewal };
  const agent = new LiveAgent({ ...setup, random });
  const abort = () => void agent.close();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await agent.registered;
    return agent;
  } catch (error) {
    if (!signal?.aborted) throw error;
    const why = agent.failure === undefined ? "" : ` The latest attempt failed: ${agent.failure.message}`;
    throw clientError("aborted", `The signal was aborted before the broker answered.${why}`, { cause: agent.failure });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Connects an agent over mutual TLS. Resolves when the broker has registered it, and keeps it connected from then on.
 * A broker that is not there yet is waited for; `signal` bounds that.
 * Rejects with AgentworksError when it is refused for good: `certificate_required`, `certificate_untrusted`,
 * `certificate_expired`, `certificate_not_yet_valid`, `certificate_revoked`, `certificate_unknown`, `agent_suspended`,
 * `subprotocol_required`, `broker_untrusted`, `invalid_argument`, `journal_damaged`, `journal_mismatch`, `journal_failed`,
 * `aborted`.
 */
export function connect(options: ConnectOptions): Promise<Agent> {
  return connectWith(options, usualTiming);
}
