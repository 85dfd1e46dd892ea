// One WebSocket and its connection against a small server of the test's own: what is said byte by byte, and when it dials again.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { Channel } from "../../sdk/typescript/src/channel.ts";
import { Connection } from "../../sdk/typescript/src/connection.ts";
import type { Credentials } from "../../sdk/typescript/src/credentials.ts";
import type { Timing } from "../../sdk/typescript/src/socket.ts";
import { next, take } from "./fixtures.ts";

const steady: Timing = {
  heartbeatIntervalMs: 60_000,
  heartbeatTimeoutMs: 180_000,
  ackStallMs: 60_000,
  deliveryStallMs: 240_000,
};
let dir: string;
let url: URL;
let credentials: Credentials;
let accepted: AsyncIterator<WebSocket>;
let refusal: { status: number; body: string } | undefined;
const sockets = new Channel<WebSocket>();
const server = createServer();
const webSockets = new WebSocketServer({ noServer: true, handleProtocols: () => "agentworks.v1" });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "agentworks-socket-"));
  const authority = await openAuthority(dir);
  const { certificate: cert, key } = await authority.issueAgent("planner");
  credentials = { cert, key, ca: authority.certificate };
  const own = await authority.issueServer();
  server.setSecureContext({ cert: own.certificate, key: own.key });
  server.on("upgrade", (request, socket, head) => {
    if (refusal === undefined) return webSockets.handleUpgrade(request, socket, head, (one) => sockets.push(one));
    const { status, body } = refusal;
    socket.end(
      `HTTP/1.1 ${status} No\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = new URL(`wss://localhost:${(server.address() as AddressInfo).port}/v1/connect`);
  accepted = sockets[Symbol.asyncIterator]();
});
beforeEach(() => {
  refusal = undefined;
});
afterAll(async () => {
  for (const socket of webSockets.clients) socket.terminate();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

type Told = { lost: [number, boolean] } | { retrying: [number, number] } | { stopped: string } | { frame: string };

function dial(timing = steady, greeting: string[] = []) {
  const told = new Channel<Told>();
  const connection = new Connection(
    { url, credentials: { current: credentials }, timing, reconnect: { baseMs: 2, maxMs: 8 }, random: () => 0.5 },
    {
      opened: () => greeting,
      frame: (frame) => told.push({ frame }),
      lost: ({ code }, willReconnect) => told.push({ lost: [code, willReconnect] }),
      retrying: (attempt, delayMs) => told.push({ retrying: [attempt, delayMs] }),
      stopped: ({ reason }) => told.push({ stopped: reason }),
    },
  );
  connection.start();
  return { connection, told: told[Symbol.asyncIterator]() };
}

const frameOf = (socket: WebSocket) =>
  new Promise<string>((resolve) => socket.once("message", (data) => resolve(String(data))));

test("[H1, H2] the heartbeat is the exact text, alone in its frame", async () => {
  const { connection, told } = dial({ ...steady, heartbeatIntervalMs: 30, heartbeatTimeoutMs: 60_000 });
  const socket = await next(accepted);
  expect(await frameOf(socket)).toBe('{"type":"HEARTBEAT"}');
  const again = frameOf(socket);
  socket.send('{"type":"HEARTBEAT_ACK"}');
  expect(await next(told)).toEqual({ frame: '{"type":"HEARTBEAT_ACK"}' });
  expect(await again).toBe('{"type":"HEARTBEAT"}');
  connection.stop(1000, "done");
});

test("[H2] without any answer the connection is given up and dialled again", async () => {
  const { connection, told } = dial({ ...steady, heartbeatIntervalMs: 10, heartbeatTimeoutMs: 40 });
  await next(accepted);
  expect(await take(told, 2)).toEqual([{ lost: [4512, true] }, { retrying: [1, 1] }]);
  await next(accepted);
  connection.stop(1000, "done");
});

test("its first frames are the greeting's, on every connection; waits grow until the broker spoke sense", async () => {
  const { connection, told } = dial(steady, ["hello", "and more"]);
  for (const delayMs of [1, 2, 4, 4]) {
    const socket = await next(accepted);
    expect(await frameOf(socket)).toBe("hello");
    socket.close(4503, "draining");
    expect(await next(told)).toEqual({ lost: [4503, true] });
    expect(await next(told)).toMatchObject({ retrying: [expect.any(Number), delayMs] });
  }
  const socket = await next(accepted);
  connection.settled();
  socket.terminate();
  expect(await take(told, 2)).toEqual([{ lost: [1006, true] }, { retrying: [1, 1] }]);
  const last = await next(accepted);
  await frameOf(last);
  const closed = new Promise((resolve) => last.once("close", resolve));
  connection.stop(1000, "done");
  expect(await closed).toBe(1000);
});

test.each([
  [4400, "connection_refused"],
  [4403, "connection_refused"],
  [4409, "superseded"],
])("close code %i is final", async (code, reason) => {
  const { told } = dial();
  (await next(accepted)).close(code, "go");
  expect(await take(told, 2)).toEqual([{ lost: [code, false] }, { stopped: reason }]);
});

test("a refused upgrade is final when its problem says so, and tried again when it may pass", async () => {
  const problem = (reason: string, retryable: boolean) => JSON.stringify({ code: "unavailable", reason, retryable });
  refusal = { status: 500, body: problem("internal", true) };
  const { told } = dial();
  expect(await take(told, 2)).toEqual([{ lost: [1006, true] }, { retrying: [1, 1] }]);
  refusal = { status: 502, body: "<h1>Bad gateway</h1>" };
  let seen = await next(told);
  while (!("retrying" in seen && seen.retrying[0] > 4)) seen = await next(told);
  refusal = { status: 403, body: problem("certificate_revoked", false) };
  while (!("stopped" in seen)) seen = await next(told);
  expect(seen).toEqual({ stopped: "certificate_revoked" });
});
