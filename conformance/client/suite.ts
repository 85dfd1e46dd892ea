// The whole suite for clients: each check with a scripted broker and a process of its own, several at a time.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { type Check, chosen, judge, type Verdict } from "../check.ts";
import { connecting } from "./connecting.ts";
import { conversing } from "./conversing.ts";
import { performing } from "./performing.ts";
import { type Props, Scene } from "./scene.ts";
import { streaming } from "./streaming.ts";
import { agentName } from "./witness.ts";

export const clientChecks: readonly Check<Scene>[] = [...connecting, ...conversing, ...streaming, ...performing];

export interface ClientSuite {
  /** The program under test and its arguments. */
  command: readonly string[];
  /** Rules, or parts of titles: the checks of any of them. */
  only?: readonly string[] | undefined;
  slow?: boolean;
  /** How many checks at a time. */
  atOnce?: number;
  told?: (verdict: Verdict) => void;
}

async function withProps<T>(command: readonly string[], use: (props: Props) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    const authority = await openAuthority(dir);
    const [server, agent] = await Promise.all([authority.issueServer(), authority.issueAgent(agentName)]);
    const [certFile, keyFile] = [join(dir, "cert.pem"), join(dir, "key.pem")];
    await writeFile(certFile, agent.certificate);
    await writeFile(keyFile, agent.key, { mode: 0o600 });
    return await use({
      command,
      server,
      ca: authority.certificate,
      caFile: authority.certificateFile,
      certFile,
      keyFile,
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function judgeOne(check: Check<Scene>, props: Props, slow: boolean): Promise<Verdict> {
  if (check.slow === true && !slow)
    return { ...check, result: "left out", detail: "slow: --slow makes it", seconds: 0 };
  return judge(check, async (run) => {
    const scene = await Scene.start(props);
    try {
      await run(scene);
      // What is always so counts, whatever the check was about.
      if (scene.witness.broken !== undefined) throw scene.witness.broken;
    } finally {
      await scene.end();
    }
  });
}

/** Makes the checks; verdicts in the order of the checks. When the program never connects, the first says so and the others are left out. */
export function runClientSuite({ command, only, slow = false, atOnce = 4, told }: ClientSuite): Promise<Verdict[]> {
  return withProps(command, async (props) => {
    const [first, ...rest] = chosen(clientChecks, only);
    if (first === undefined) return [];
    const verdicts: Verdict[] = [];
    const make = async (check: Check<Scene>, at: number) => {
      const verdict = await judgeOne(check, props, slow);
      verdicts[at] = verdict;
      told?.(verdict);
    };
    await make(first, 0);
    if (verdicts[0]?.detail?.includes("did not connect")) return verdicts;
    const queue = rest.map((check, i) => () => make(check, i + 1));
    const worker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return verdicts;
  });
}
