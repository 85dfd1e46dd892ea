// The smallest Worker that shows what the edge hands on: it answers with what it was given, and echoes WebSocket frames.
import { DurableObject } from "cloudflare:workers";

export class Echo extends DurableObject {
  fetch(request) {
    if (request.headers.get("upgrade") !== "websocket") {
      return Response.json(this.ctx.getWebSockets().filter((socket) => socket.readyState === 1).length);
    }
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1]);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }
  webSocketMessage(socket, message) {
    socket.send(message);
  }
  webSocketClose(socket, code) {
    socket.close(code === 1000 ? code : undefined);
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/socket" || pathname === "/sockets") {
      return env.ECHO.get(env.ECHO.idFromName("echo")).fetch(request);
    }
    if (pathname === "/refuse") return Response.json({ reason: "refused" }, { status: 403 });
    const body = await request.text();
    return Response.json({
      method: request.method,
      cf: request.cf,
      headers: [...request.headers],
      bodyLength: body.length,
      url: request.url,
    });
  },
};
