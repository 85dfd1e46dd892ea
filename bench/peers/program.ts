// A server of somebody else's, as a process of ours: found, started in a process group of its own, waited for, and ended by that
// group's id, whatever ends us.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tieToThisProcess } from "../../scripts/broker/process.ts";
import { Failure } from "../../scripts/failure.ts";
import type { PeerDial, PeerServer, Place } from "./peer.ts";

const startMsMax = 60_000;

/** Path of a program, also where root's programs are; undefined where there is none. */
export function find(command: string): string | undefined {
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/rabbitmq/bin",
  ];
  return folders
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a listening server has a port");
  server.close();
  await once(server, "close");
  return address.port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function stop(child: ChildProcess, pid: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  // Its data is thrown away, so it need not be asked nicely. The group: some servers are a script and what it started.
  process.kill(-pid, "SIGKILL");
  await ended;
}

/**
 * Starts a program, by name or path, and waits until `port` answers.
 * @param logFile takes what it says; named when it does not start
 */
export async function startProgram(
  command: string,
  args: readonly string[],
  { port, logFile, env = {} }: { port: number; logFile: string; env?: Record<string, string> },
): Promise<PeerServer> {
  const path = find(command) ?? command;
  const log = openSync(logFile, "a");
  const child = spawn(path, args, { stdio: ["ignore", log, log], detached: true, env: { ...process.env, ...env } });
  // The child has its own.
  closeSync(log);
  const failed = once(child, "error").then(([error]) => {
    throw error;
  });
  failed.catch(() => undefined);
  const pid = child.pid;
  if (pid === undefined) throw new Failure(`${path} does not start.`);
  const release = tieToThisProcess(-pid);
  child.once("exit", release);
  for (const end = Date.now() + startMsMax; !(await answers(port)); await sleep(50)) {
    if (child.exitCode === null && child.signalCode === null && Date.now() < end) continue;
    await stop(child, pid);
    throw new Failure(`${path} does not listen on port ${port}; it said why in ${logFile}.`);
  }
  return { close: () => stop(child, pid) };
}

/** The same for a program that takes all it must know from a file. */
export async function startConfigured(command: string, { dir, port }: Place, config: string): Promise<PeerServer> {
  const file = join(dir, `${command}.conf`);
  await writeFile(file, config);
  return startProgram(command, ["-c", file], { port, logFile: join(dir, `${command}.log`) });
}

/** What a client shows the server, as PEM text. */
export async function readPapers(dial: PeerDial): Promise<{ ca: string; cert: string; key: string }> {
  const { caFile, certificateFile, keyFile } = dial;
  const read = (file: string) => readFile(file, "utf8");
  return { ca: await read(caFile), cert: await read(certificateFile), key: await read(keyFile) };
}
