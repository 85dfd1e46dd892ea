// A session's own WebSocket, straight to the object that keeps it. The agent's connection stays for everything else.
import { packFrames } from "../../../protocol/wire/codec.ts";
import { closeCodes } from "../../../protocol/wire/errors.ts";
import type { Status } from "./api.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { LiveSession } from "./live-session.ts";

/**
 * Opens it. Until it is up the session works over the agent's connection; from then on over this one only.
 * A refusal for good, or a final close, ends the session.
 */
export function openDirect(
  session: LiveSession,
  options: ConnectionOptions,
  { frame, tell }: { frame(text: string): void; tell(status: Status): void },
): Connection {
  const url = new URL(`/v1/sessions/${session.id}`, options.url);
  // When the agent's connection is made anew in the same moment, its attachment may overtake this one: that is no other
  // process. One that really takes the agent over closes the agent's connection, and that ends everything.
  const direct = { ...options, url, notFinal: closeCodes.superseded };
  const connection = new Connection(direct, {
    opened: () => {
      session.route = connection;
      session.connected();
      return packFrames(session.lines());
    },
    frame,
    lost: ({ code, reason }, willReconnect) => tell({ type: "disconnected", code, reason, willReconnect, session }),
    retrying: (attempt, delayMs) => tell({ type: "reconnecting", attempt, delayMs, session }),
    stopped: (error) => session.end({ reason: error.reason, error }),
  });
  connection.start();
  return connection;
}
