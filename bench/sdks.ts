// The SDKs beside each other, against the same broker: messages stored and acknowledged, and what of the sender's processor each
// takes. Each is a program of its own language in bench/sdk, with the same flags and the same line of JSON at the end.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBroker } from "../scripts/broker/broker.ts";
import { Failure } from "../scripts/failure.ts";
import { interpreterOf } from "../scripts/languages.ts";
import { dialOf, row } from "./places.ts";

export interface SdkFigures {
  messagesPerSecond: number;
  cpuMicrosPerMessage: number;
}

const at = (file: string) => fileURLToPath(new URL(`./sdk/${file}`, import.meta.url));

const programs = {
  typescript: { file: at("typescript.ts"), interpreter: () => ({ command: process.execPath }) },
  python: { file: at("python.py"), interpreter: () => interpreterOf("python") },
  ruby: { file: at("ruby.rb"), interpreter: () => interpreterOf("ruby") },
};

async function run(command: string, args: string[]): Promise<SdkFigures> {
  const program = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  program.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const code = await new Promise((resolve) => program.once("close", resolve));
  if (code !== 0) throw new Failure(`${args[0]} ended with ${code}.`);
  return JSON.parse(said.trim().split("\n").at(-1) ?? "") as SdkFigures;
}

/** @param tell hears of each SDK, and of those that cannot run here */
export async function measureSdks(
  state: string,
  rounds: number,
  tell: (line: string) => void,
): Promise<Record<string, SdkFigures>> {
  const broker = await startBroker({ stateDir: join(state, "sdks") });
  const report: Record<string, SdkFigures> = {};
  try {
    for (const [name, { file, interpreter }] of Object.entries(programs)) {
      const found = interpreter();
      if ("install" in found) {
        tell(`${name} is left out: install ${found.install}.`);
        continue;
      }
      const [sender, receiver] = [await dialOf(broker, `${name}-sender`), await dialOf(broker, `${name}-receiver`)];
      const folders = ["--sender", dirname(sender.certificateFile), "--receiver", dirname(receiver.certificateFile)];
      const measured: SdkFigures[] = [];
      for (let round = 0; round < rounds; round++) {
        measured.push(await run(found.command, [file, "--url", sender.url, "--ca", sender.caFile, ...folders]));
        tell(`${name}: ${measured.at(-1)?.messagesPerSecond} msg/s`);
      }
      measured.sort((a, b) => a.messagesPerSecond - b.messagesPerSecond);
      const median = measured[Math.floor(measured.length / 2)];
      if (median !== undefined) report[name] = median;
    }
    return report;
  } finally {
    await broker.close();
  }
}

export function sdkTable(report: Record<string, SdkFigures>): string {
  const lines = Object.entries(report).map(([name, { messagesPerSecond, cpuMicrosPerMessage }]) =>
    row(name, messagesPerSecond, cpuMicrosPerMessage),
  );
  return [row("SDK", "msg/s", "CPU µs/msg"), ...lines].join("\n");
}
