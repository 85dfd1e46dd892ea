// What the edge's tests share: folders that vanish, HTTPS requests with a certificate, WebSockets, child processes.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { describeOtherWorker } from "../../scripts/broker/worker.ts";
import { root } from "../../scripts/sources.ts";

export const echoWorker = () =>
  describeOtherWorker({
    name: "echo",
    entry: fileURLToPath(new URL("edge-echo-worker.mjs", import.meta.url)),
    durableObjects: { ECHO: "Echo" },
  });

export async function temporaryFolder(): Promise<AsyncDisposable & { dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), "agentworks-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 3 }) };
}

export interface Identity {
  certificate: string;
  key: string;
}

export interface Answer {
  status: number;
  body: string;
}

interface Asking {
  ca: string;
  identity?: Identity | undefined;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** OpenSSL's list. */
  ciphers?: string;
}

/** One request on a connection of its own. `base` is the agents' URL, `wss://…`. */
export async function ask(base: string, path: string, asking: Asking): Promise<Answer> {
  const { ca, identity, method = "GET", headers = {}, body, ciphers } = asking;
  const message = request(`${base.replace("wss:", "https:")}${path}`, {
    ca,
    method,
    headers,
    agent: new Agent({ keepAlive: false }),
    ...(ciphers !== undefined && { ciphers }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  });
  return new Promise((resolve, reject) => {
    message.on("error", reject);
    message.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.on("error", reject);
    });
    message.end(body);
  });
}

/** An open WebSocket; rejects with the refusing status in the message. */
export async function connect(url: string, ca: string, identity: Identity): Promise<WebSocket> {
  const socket = new WebSocket(url, { ca, cert: identity.certificate, key: identity.key, perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** Waits until `check` holds, for at most `msMax`. */
export async function until(check: () => boolean | Promise<boolean>, msMax = 10_000): Promise<void> {
  for (const end = Date.now() + msMax; Date.now() < end; ) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${msMax} ms: ${check}`);
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A command of the project, with its output; `finished` resolves at its end. */
export function run(script: string, args: string[], cwd = root): { child: ChildProcess; finished: Promise<Finished> } {
  const [command, ...before] = script.endsWith(".sh")
    ? ["bash", join(root, script)]
    : [process.execPath, join(root, script)];
  const child = spawn(command ?? "", [...before, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk;
  });
  const finished = new Promise<Finished>((resolve) => {
    child.on("close", (code) => resolve({ code, ...output }));
  });
  return { child, finished };
}
