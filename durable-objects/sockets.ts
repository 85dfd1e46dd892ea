// The rules of hibernating WebSockets, for both objects: the heartbeat pair, safe closing, what a socket remembers of itself.
import { drizzle } from "drizzle-orm/d1";
import { errorLine } from "../protocol/wire/codec.ts";
import { closeCodes } from "../protocol/wire/errors.ts";
import { limits } from "../protocol/wire/limits.ts";
import { FrameRate } from "../protocol/wire/rate.ts";
import { touchConnected } from "../schema/registry.ts";
import type { Identity } from "./identity.ts";

export const subprotocol = "agentworks.v1";

/** Answered by the runtime without waking the object: exact text, alone in its frame (PROTOCOL H1). */
export const heartbeat = { request: '{"type":"HEARTBEAT"}', response: '{"type":"HEARTBEAT_ACK"}' };

/** Kept with the socket through hibernation (at most 16 KiB). */
export interface SocketFacts extends Identity {
  /** Names the socket among those of its object. */
  key: string;
  /** When its client was last seen by a frame (epoch milliseconds); a little late, and without heartbeats. */
  seenAt: number;
}

/** What `acceptSocket` gave it to remember. */
export const socketFacts = (socket: WebSocket): SocketFacts => socket.deserializeAttachment();

/** Accepts an upgrade. The socket is tagged with its key, and carries its facts. */
export function acceptSocket<Facts extends SocketFacts>(ctx: DurableObjectState, facts: Facts): Response {
  ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(heartbeat.request, heartbeat.response));
  const { 0: client, 1: server } = new WebSocketPair();
  ctx.acceptWebSocket(server, [facts.key]);
  server.serializeAttachment(facts);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { "Sec-WebSocket-Protocol": subprotocol },
  });
}

/** The open socket of that key. CLOSING sockets are still listed by the runtime; they are gone for us. */
export const openSocket = (ctx: DurableObjectState, key: string): WebSocket | undefined =>
  ctx.getWebSockets(key).find((socket) => socket.readyState === WebSocket.OPEN);

/**
 * Whether nothing has come from the client for so long that it cannot be there any more: neither a frame nor a heartbeat.
 * Judged when somebody asks, never by a timer; a socket that is found silent is closed (H2).
 */
export function isSilent(ctx: DurableObjectState, socket: WebSocket, { seenAt }: SocketFacts, now: number): boolean {
  if (now - seenAt <= limits.heartbeatTimeoutMs) return false;
  const beatAt = ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
  if (now - beatAt <= limits.heartbeatTimeoutMs) return false;
  closeSocket(socket, closeCodes.heartbeat_timeout, "nothing came for too long");
  return true;
}

/** The open socket of that key whose client is there. */
export function liveSocket(ctx: DurableObjectState, key: string, now: number): WebSocket | undefined {
  const socket = openSocket(ctx, key);
  return socket && isSilent(ctx, socket, socketFacts(socket), now) ? undefined : socket;
}

/** Every open socket of the object. */
export const openSockets = (ctx: DurableObjectState): WebSocket[] =>
  ctx.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);

/** Sends, unless the socket is on its way out. */
export function say(socket: WebSocket, text: string): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(text);
}

/** Closes once; a socket that is closing already is left alone. Reasons are short: at most 123 bytes. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.close(code, reason.slice(0, 120));
}

/** In `webSocketClose`: answers the peer's close with its own code, where that code may be sent at all. */
export function reciprocate(socket: WebSocket, code: number): void {
  const sendable = code === 1000 || (code >= 3000 && code <= 4999);
  try {
    socket.close(sendable ? code : 1000);
  } catch {
    // The runtime had answered by itself, or the socket is gone: both are what we wanted.
  }
}

/** A certificate that ended while its socket was open: the platform does not close it, so we do. */
function closeIfExpired(socket: WebSocket, facts: SocketFacts, now: number): boolean {
  if (now <= facts.expiresAt) return false;
  closeSocket(socket, closeCodes.certificate_expired, "certificate expired");
  return true;
}

/** Closes every open socket whose certificate has ended, and answers whose they were. */
export const closeExpired = (ctx: DurableObjectState, now: number): SocketFacts[] =>
  openSockets(ctx).flatMap((socket) => {
    const facts = socketFacts(socket);
    return closeIfExpired(socket, facts, now) ? [facts] : [];
  });

/**
 * When the object must wake for that (epoch milliseconds): as the first of its certificates has ended, or, where that is far away,
 * to look again. A socket that says nothing is closed by this alone. Undefined: no socket is open.
 */
export function expiryDue(ctx: DurableObjectState, now: number): number | undefined {
  const ends = openSockets(ctx).map((socket) => socketFacts(socket).expiresAt);
  return ends.length === 0 ? undefined : Math.min(...ends.map((end) => end + 1), now + limits.alarmAheadMsMax);
}

/** What every frame passes first. The rates are in memory: an object that lost it had no flood. */
export class Gate {
  readonly #rates = new Map<string, FrameRate>();

  /** Whether the frame is taken. Notes that its client is there, warns one that is too fast, and closes what has to be closed. */
  admits(socket: WebSocket, facts: SocketFacts, now: number): boolean {
    // The runtime hands on what was under way when we closed it: superseded, or thrown out, it has no more to say.
    if (socket.readyState !== WebSocket.OPEN) return false;
    if (closeIfExpired(socket, facts, now)) return false;
    if (Math.abs(now - facts.seenAt) >= limits.seenEveryMs) {
      facts.seenAt = now;
      socket.serializeAttachment(facts);
    }
    const rate = this.#rates.get(facts.key) ?? new FrameRate(now);
    this.#rates.set(facts.key, rate);
    const verdict = rate.frame(now);
    if (verdict === "warn") say(socket, errorLine({ reason: "rate_limited" }));
    if (verdict === "close") closeSocket(socket, closeCodes.too_fast, "too many frames a second");
    return verdict !== "close";
  }

  /** The socket is gone. */
  forget({ key }: SocketFacts): void {
    this.#rates.delete(key);
  }
}

/**
 * The registry once more, now that the socket is open: nobody slips through between the Worker's check and a revocation, which
 * closes the sockets that it finds. Notes the agent as connected on its way. One query.
 */
export async function closeIfRevoked(
  ctx: DurableObjectState,
  db: D1Database,
  { account, agent, fingerprint, key }: SocketFacts,
  now: number,
): Promise<void> {
  if (await touchConnected(drizzle(db), account, agent, now, fingerprint)) return;
  const socket = openSocket(ctx, key);
  if (socket !== undefined) closeSocket(socket, closeCodes.revoked, "certificate revoked or agent suspended");
}
