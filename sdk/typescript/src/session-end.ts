// How the broker's last word on a session reads for the application. Pure.
import type { BrokerEnvelope } from "../../../protocol/wire/envelope.ts";
import type { SessionEnd } from "./api.ts";
import { AgentworksError, clientError } from "./error.ts";

const failed = (error: AgentworksError): SessionEnd => ({ reason: error.reason, error });

/** @param closeReason what was given to `close`, here or by the peer */
export function sessionEndOf(envelope: BrokerEnvelope, closeReason: string): SessionEnd {
  switch (envelope.type) {
    case "ERROR":
    case "SESSION_REJECT":
      return failed(new AgentworksError(envelope.data));
    case "SESSION_RESUMED":
    case "SESSION_CLOSED": {
      const { data } = envelope;
      if ("outcome" in data && data.outcome !== "closed") return failed(clientError("session_lost"));
      return data.state === "expired" ? failed(clientError("session_expired")) : { reason: closeReason };
    }
    default:
      // Work that contradicts what came before.
      return failed(clientError("session_lost"));
  }
}
