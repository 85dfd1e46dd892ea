// The edge's thread: it knows at once what it is told, and it neither ends nor dies unnoticed.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { type Edge, startEdge } from "../../scripts/edge/edge.ts";
import type { EdgeOptions } from "../../scripts/edge/listeners.ts";
import { type Identity, run, temporaryFolder, until } from "./edge-fixtures.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let options: EdgeOptions;
let planner: Identity;
beforeAll(async () => {
  folder = await temporaryFolder();
  const authority = await openAuthority(folder.dir);
  planner = await authority.issueAgent("planner");
  const server = await authority.issueServer();
  options = { agentsPort: 0, apiPort: 0, secret: "secret", server, clientCas: [authority.certificate] };
});
afterAll(() => folder[Symbol.asyncDispose]());

async function body(edge: Edge): Promise<unknown> {
  const answer = await fetch(`http://localhost:${edge.apiPort}/`);
  return answer.headers.get("content-type") === "application/problem+json"
    ? [answer.status, ((await answer.json()) as { reason: string }).reason]
    : answer.text();
}

/** Something that listens and says its name. */
async function inner(name: string) {
  const server = createServer((_message, response) => response.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { host: "127.0.0.1", port, [Symbol.dispose]: () => void server.close() };
}

test("it answers `internal` until it is told where the Worker listens, while it is told nowhere, and goes by what it is told", async () => {
  using one = await inner("one");
  using two = await inner("two");
  const edge = await startEdge(options);
  try {
    const internal = [500, "internal"];
    expect(await body(edge)).toEqual(internal);
    for (const { host, port, says } of [
      { ...one, says: "one" },
      { ...two, says: "two" },
    ]) {
      await edge.serve({ host, port });
      expect(await body(edge)).toBe(says);
      await edge.serve(undefined);
      expect(await body(edge)).toEqual(internal);
    }
  } finally {
    await edge.close();
  }
});

test("close waits for nobody who connected and never began a handshake", async () => {
  const edge = await startEdge(options);
  const silent = connectTcp(edge.agentsPort, "127.0.0.1");
  await once(silent, "connect");
  // Whoever was accepted after it is served: so it was accepted too.
  await body(edge);
  const began = performance.now();
  await Promise.all([edge.close(), once(silent, "close")]);
  // Far less than the ten seconds after which an unfinished handshake is given up.
  expect(performance.now() - began).toBeLessThan(5_000);
});

test("close ends what is connected, and the thread; a second one is fine, and nothing is connected after it", async () => {
  const started = once(process, "worker");
  const edge = await startEdge(options);
  const [thread] = (await started) as [Worker];
  const [ca] = options.clientCas;
  const client = connectTls({
    port: edge.agentsPort,
    host: "localhost",
    ca,
    cert: planner.certificate,
    key: planner.key,
  });
  const gone = once(client, "close");
  client.on("error", () => undefined);
  await until(async () => (await edge.connections({ commonName: "planner" })).length === 1);
  expect(await edge.connections({ upgraded: true })).toEqual([]);
  await Promise.all([once(thread, "exit"), edge.close(), edge.close(), gone]);
  await edge.close();
  await edge.serve(undefined);
  expect([await edge.connections(), await edge.cut()]).toEqual([[], 0]);
  await expect(fetch(`http://localhost:${edge.apiPort}/`)).rejects.toThrow();
});

test("what does not open is said, and no thread stays", async () => {
  const first = await startEdge(options);
  try {
    const started = once(process, "worker");
    const second = startEdge({ ...options, apiPort: first.apiPort });
    const [thread] = (await started) as [Worker];
    const exit = once(thread, "exit");
    await expect(second).rejects.toThrow(`Port ${first.apiPort} (API) is in use: choose another with --api-port`);
    await exit;
  } finally {
    await first.close();
  }
  await expect(startEdge({ ...options, server: { certificate: "none", key: "none" } })).rejects.toThrow(/PEM/);
});

test("an error in the thread ends the process and is said, and so is a thread that ends by itself", async () => {
  for (const [how, stderr] of [
    ["throws", /TypeError: .*\n +at .*thread\.ts/],
    ["ends", /Error: The edge's thread ended by itself/],
  ] as const) {
    const { finished } = run("test/e2e/edge-thread-program.ts", [folder.dir, how]);
    expect(await finished).toEqual({ code: 1, stdout: "listens\n", stderr: expect.stringMatching(stderr) });
  }
});
