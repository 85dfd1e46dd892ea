// Carries one HTTP request, or one WebSocket, from a client to the Worker and back. It knows nothing of certificates:
// the headers that prove the hop are handed in. Nothing is held when either side goes away.

import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { type ErrorReason, errorBody, errors } from "../../protocol/wire/errors.ts";
import { bounds } from "../../schema/bounds.ts";
import { inwardHeaders, outwardHeaders } from "./headers.ts";

/** Where the Worker listens. It moves when the runtime restarts. */
export interface InnerAddress {
  host: string;
  port: number;
}

/** `undefined` while the Worker is not up. */
export type FindInner = () => InnerAddress | undefined;

const upgradeAnswerMsMax = 30_000;
/** After one side has ended, the other has this long to finish what it was saying. */
const lingerMsMax = 5_000;
/** How long a side may take nothing of what waits for it. */
const stallMsMax = 45_000;

function problem(reason: ErrorReason): string {
  const status = errors[reason].status;
  const type = `urn:agentworks:error:${reason}`; // as the Worker names it
  const title = `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`.replaceAll("_", " ");
  return JSON.stringify({ type, title, status, ...errorBody(reason) });
}

function answerProblem(response: ServerResponse, reason: ErrorReason): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(errors[reason].status, { "content-type": "application/problem+json", connection: "close" });
  response.end(problem(reason));
}

/** Refuses a body for its size, and takes the rest of it: whoever is still sending would not see the answer. */
function refuseBody(message: IncomingMessage, response: ServerResponse): void {
  const reason = "request_too_large";
  response.writeHead(errors[reason].status, { "content-type": "application/problem+json" });
  response.end(problem(reason));
  message.resume();
}

/**
 * Forwards one plain HTTP request, on a connection of its own: workerd closes idle ones after five seconds, and a request
 * that met such a close could not be repeated safely. Plain requests are rare here, and loopback is quick.
 */
export function forwardRequest(
  findInner: FindInner,
  message: IncomingMessage,
  response: ServerResponse,
  proof: readonly string[],
): void {
  const inner = findInner();
  if (inner === undefined) {
    answerProblem(response, "internal");
    return;
  }
  // Only the origin form: an absolute target would let the client choose the host that the Worker sees.
  if (!message.url?.startsWith("/")) {
    answerProblem(response, "invalid_request");
    return;
  }
  // The Worker says the same, and breaks off: what it said can be lost with a body that is still on its way to it.
  if (Number(message.headers["content-length"] ?? 0) > bounds.bodyBytesMax) {
    refuseBody(message, response);
    return;
  }
  const upstream = request({
    ...inner,
    agent: false,
    method: message.method ?? "GET",
    path: message.url,
    headers: inwardHeaders(message.rawHeaders, proof),
  });
  let bodyBytes = 0;
  message.on("data", (chunk: Buffer) => {
    bodyBytes += chunk.length;
    if (bodyBytes <= bounds.bodyBytesMax || response.headersSent) return;
    message.unpipe(upstream);
    refuseBody(message, response);
    upstream.destroy();
  });
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, outwardHeaders(answer.rawHeaders));
    pipeline(answer, response, () => undefined);
  });
  upstream.on("error", () => {
    if (bodyBytes <= bounds.bodyBytesMax) answerProblem(response, "internal");
  });
  response.on("close", () => {
    if (!response.writableFinished) upstream.destroy();
  });
  message.on("error", () => upstream.destroy());
  message.pipe(upstream);
}

/** Bytes both ways until both have ended; an error or a cut on one side is one on the other. */
function join(client: Duplex, upstream: Duplex): void {
  const both = [
    [client, upstream],
    [upstream, client],
  ] as const;
  for (const [from, to] of both) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => {
      // After an orderly end the other side gets what was said before it; after a cut there is nothing to wait for.
      if (from.readableEnded && !to.writableFinished) to.once("finish", () => to.destroy());
      else to.destroy();
    });
    endWhenStalled(from, to);
    from.on("end", () => {
      const linger = setTimeout(() => {
        from.destroy();
        to.destroy();
      }, lingerMsMax).unref();
      to.once("close", () => clearTimeout(linger));
    });
  }
}

/**
 * Whoever takes nothing for so long that a heartbeat would have been missed is gone, and what waits for it is memory. `pipe`
 * pauses the source while the other side does not take; the source says so.
 */
function endWhenStalled(from: Duplex, to: Duplex): void {
  let stalled: NodeJS.Timeout | undefined;
  const moving = (): void => clearTimeout(stalled);
  from.on("pause", () => {
    clearTimeout(stalled);
    stalled = setTimeout(() => to.destroy(), stallMsMax).unref();
  });
  from.on("resume", moving);
  from.once("close", moving);
}

/** A head as it goes on the wire. */
function head(status: string, rawHeaders: readonly string[]): string {
  let text = `HTTP/1.1 ${status}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return `${text}\r\n`;
}

function refuse(client: Duplex, reason: ErrorReason): void {
  const body = problem(reason);
  const headers = ["Content-Type", "application/problem+json", "Content-Length", String(Buffer.byteLength(body))];
  client.end(head(`${errors[reason].status} Refused`, [...headers, "Connection", "close"]) + body);
}

/**
 * Forwards one WebSocket upgrade. Only after the Worker's 101 do raw bytes flow; any other answer is passed on as a plain
 * response and closes the connection, so that nobody gets a raw pipe to the inner port without the Worker's consent.
 */
export function forwardUpgrade(
  findInner: FindInner,
  message: IncomingMessage,
  client: Duplex,
  early: Buffer,
  proof: readonly string[],
): void {
  client.on("error", () => client.destroy());
  const inner = findInner();
  if (inner === undefined || !message.url?.startsWith("/")) {
    refuse(client, inner === undefined ? "internal" : "invalid_request");
    return;
  }
  const upstream = request({
    method: "GET",
    path: message.url,
    headers: [...inwardHeaders(message.rawHeaders, proof), "Connection", "Upgrade", "Upgrade", "websocket"],
    timeout: upgradeAnswerMsMax,
    createConnection: (): Socket => connect({ ...inner, noDelay: true, allowHalfOpen: true }),
  });
  const abandon = (): void => {
    upstream.destroy();
  };
  client.once("close", abandon);
  upstream.on("timeout", abandon);
  upstream.on("error", () => {
    if (!client.destroyed) refuse(client, "internal");
  });
  upstream.on("response", (answer) => {
    const headers = [...outwardHeaders(answer.rawHeaders), "Connection", "close"];
    client.write(head(`${answer.statusCode} ${answer.statusMessage}`, headers));
    pipeline(answer, client, () => client.destroy());
  });
  upstream.on("upgrade", (answer, socket, first) => {
    client.off("close", abandon);
    socket.setTimeout(0);
    client.write(head(`${answer.statusCode} ${answer.statusMessage}`, answer.rawHeaders));
    if (first.length > 0) client.write(first);
    if (early.length > 0) socket.write(early);
    join(client, socket);
  });
  upstream.end();
}
