// The yardstick of the bench: a Durable Object that passes frames from one socket to the other, and nothing else. No protocol,
// no storage, no acknowledgement. What agentworks costs is measured against it, behind the same edge and in the same run.
import { DurableObject } from "cloudflare:workers";

export class Relay extends DurableObject {
  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    for (const other of this.ctx.getWebSockets()) if (other !== socket) other.send(message);
  }
}

interface Env {
  RELAY: DurableObjectNamespace<Relay>;
}

export default {
  fetch: (request, env) => env.RELAY.getByName(new URL(request.url).pathname).fetch(request),
} satisfies ExportedHandler<Env>;
