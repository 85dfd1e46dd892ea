// npm run conformance: judges a client or a broker by the numbered rules of docs/PROTOCOL.md, and says which one is broken.
import { readFile } from "node:fs/promises";
import { readCommandLine } from "../scripts/command-line.ts";
import { Failure, messageOf, runCommand } from "../scripts/failure.ts";
import { runBrokerSuite } from "./broker/suite.ts";
import { Missing, type Verdict } from "./check.ts";
import { runClientSuite } from "./client/suite.ts";

const usage = `Usage: npm run conformance -- client [flags] -- program [arguments]
       npm run conformance -- broker --url wss://… --ca FILE --certificate FILE --key FILE
                                     --peer-certificate FILE --peer-key FILE [flags]

client  A scripted broker with real TLS drives the program, an echo agent as docs/CONFORMANCE.md describes it, and judges
        everything that it sends.
broker  Two agents of one account, by their certificates alone, try what a broker promises. Use agents that do nothing else.

  --only X  the checks of one rule (A2), or whose title has X; may be said several times
  --slow    those too that have to wait for half a minute and more
  --json    prints one JSON object as the last line
  --help    this text

Exits 1 when a rule is broken.`;

const files = ["ca", "certificate", "key", "peer-certificate", "peer-key"] as const;

function tell({ title, rules, result, rule, detail, seconds }: Verdict): void {
  const mark = { ok: "ok    ", broken: "BROKEN", "left out": "--    " }[result];
  console.log(`${mark} [${rules.join(", ")}] ${title} (${seconds} s)`);
  if (detail !== undefined) console.log(`       ${rule === undefined ? "" : `rule ${rule}: `}${detail}`);
}

async function textOf(flag: string, file: string | undefined): Promise<string> {
  if (file === undefined) throw new Failure(`--${flag} is missing.\n\n${usage}`);
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new Failure(`Cannot read --${flag} ${file}: ${messageOf(error)}.`);
  });
}

await runCommand(async () => {
  const { values, positionals } = readCommandLine(usage, {
    url: { type: "string" },
    ca: { type: "string" },
    certificate: { type: "string" },
    key: { type: "string" },
    "peer-certificate": { type: "string" },
    "peer-key": { type: "string" },
    only: { type: "string", multiple: true },
    slow: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  });
  const [what, ...command] = positionals;
  const flags = { only: values.only, slow: values.slow, told: tell };
  let verdicts: Verdict[];
  if (what === "client") {
    if (command.length === 0) throw new Failure(`Name the program to test behind --.\n\n${usage}`);
    verdicts = await runClientSuite({ command, ...flags });
  } else if (what === "broker") {
    if (values.url === undefined || command.length > 0) throw new Failure(`Say --url wss://host:port.\n\n${usage}`);
    const [ca = "", certificate = "", key = "", peerCertificate = "", peerKey = ""] = await Promise.all(
      files.map((flag) => textOf(flag, values[flag])),
    );
    const target = { url: values.url.replace(/\/$/, ""), ca };
    const [a, b] = [
      { certificate, key },
      { certificate: peerCertificate, key: peerKey },
    ];
    verdicts = await runBrokerSuite({ target, a, b, ...flags }).catch((error: unknown) => {
      throw error instanceof Missing ? new Failure(`The two agents cannot work there: ${error.message}`) : error;
    });
  } else throw new Failure(usage);
  if (verdicts.length === 0) throw new Failure(`No check has the rule or the title "${values.only?.join()}".`);

  const count = (result: Verdict["result"]) => verdicts.filter((verdict) => verdict.result === result).length;
  const rules = [...new Set(verdicts.flatMap(({ result, rule }) => (result === "broken" ? [rule ?? ""] : [])))];
  const broken = rules.length === 0 ? "" : `, rules broken: ${rules.join(", ")}`;
  console.log(`\n${count("ok")} ok, ${count("broken")} broken, ${count("left out")} left out${broken}`);
  if (values.json) console.log(JSON.stringify({ ok: rules.length === 0, broken: rules, checks: verdicts }));
  process.exitCode = rules.length === 0 ? 0 : 1;
});
