// A session's own WebSocket, straight to the object that keeps it. The agent's connection stays for everything else.
import { packFrames } from "../../../protocol/wire/codec.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import type { LiveSession } from "./live-session.ts";
import type { Statuses } from "./statuses.ts";

/**
 * Opens it. Until it is up the session works over the agent's connection; from then on over this one only.
 * A refusal for good, or a final close, ends the session.
 */
export function openDirect(
  session: LiveSession,
  options: ConnectionOptions,
  events: { frame(text: string): void; statuses: Statuses; wake(): void },
): Connection {
  const { statuses } = events;
  const connection = new Connection(
    { ...options, url: new URL(`/v1/sessions/${session.id}`, options.url) },
    {
      opened: () => {
        session.route = connection;
        session.connected();
        return packFrames(session.lines());
      },
      frame: (text) => events.frame(text),
      lost: ({ code, reason }, willReconnect) =>
        statuses.say({ type: "disconnected", code, reason, willReconnect, session }),
      retrying: (attempt, delayMs) => statuses.say({ type: "reconnecting", attempt, delayMs, session }),
      stopped: (error) => {
        if (error.reason !== "superseded") return session.end(error.reason, error);
        // Our own reconnect over the agent's connection overtook it: the session goes on there.
        session.route = undefined;
        session.connected();
        events.wake();
      },
    },
  );
  connection.start();
  return connection;
}
