// The speed of the TypeScript SDK: one agent sends messages to another, so many of them in flight at once, each stored and
// acknowledged by the broker. The receiver is a process of its own. Prints one JSON object, as python.py and ruby.rb beside it do.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect, type Receipt, type Session } from "../../sdk/typescript/src/index.ts";

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "" },
    ca: { type: "string", default: "" },
    sender: { type: "string", default: "" },
    receiver: { type: "string", default: "" },
    messages: { type: "string", default: "20000" },
    "in-flight": { type: "string", default: "256" },
    bytes: { type: "string", default: "512" },
    receive: { type: "boolean", default: false },
  },
});
const warmUp = 2_000;

const dial = (folder: string) =>
  connect({
    url: values.url,
    caFile: values.ca,
    certFile: join(folder, "cert.pem"),
    keyFile: join(folder, "key.pem"),
    recover: false,
  });

async function receive(): Promise<void> {
  const agent = await dial(values.receiver);
  console.log("ready");
  for await (const session of agent.sessions()) {
    for await (const _ of session.messages());
    break;
  }
  await agent.close();
}

async function sendAll(session: Session, content: string, count: number, inFlight: number): Promise<void> {
  const waiting: Promise<Receipt>[] = [];
  for (let i = 0; i < count; i++) {
    if (i >= inFlight) await waiting[i - inFlight];
    waiting.push(session.send(content));
  }
  await Promise.all(waiting);
  await (await waiting.at(-1))?.delivered;
}

async function send(): Promise<void> {
  const receiver = spawn(process.execPath, [fileURLToPath(import.meta.url), ...process.argv.slice(2), "--receive"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(receiver.stdout, "data");
    const agent = await dial(values.sender);
    const session = await agent.open(basename(values.receiver));
    const [count, inFlight] = [Number(values.messages), Number(values["in-flight"])];
    const content = "x".repeat(Number(values.bytes));
    await sendAll(session, content, warmUp, inFlight);
    const [started, cpu] = [performance.now(), process.cpuUsage()];
    await sendAll(session, content, count, inFlight);
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    await agent.drain();
    console.log(
      JSON.stringify({
        messagesPerSecond: Math.round(count / seconds),
        cpuMicrosPerMessage: Number(((user + system) / count).toFixed(1)),
      }),
    );
  } finally {
    receiver.kill();
  }
}

await (values.receive ? receive() : send());
