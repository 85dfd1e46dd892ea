// npm run chaos: the real thing, broken on purpose. Agents in processes of their own work in 20 sessions over mutual TLS, while
// the broker is killed with SIGKILL and connections are cut at random bytes. Then the network heals, and what the agents'
// applications noted is judged: nothing lost, nothing twice, nothing out of order, nothing left unfinished.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readCommandLine } from "../../scripts/command-line.ts";
import { runCommand } from "../../scripts/failure.ts";
import { type Dice, dice, seedOf } from "./dice.ts";
import { type Fault, planFaults } from "./faults.ts";
import { numberOf, wholeOf } from "./flags.ts";
import { type Fact, facts, readLedger } from "./ledger.ts";
import { excuseOf, holesOf } from "./rules.ts";
import { type Cast, Stage } from "./stage.ts";
import { judge } from "./verdict.ts";

const usage = `Usage: npm run chaos -- [--kills K] [--cuts C] [--minutes T] [flags]

Agents work in sessions while the broker is killed (SIGKILL) and their connections are cut at random bytes; then what their
applications noted is judged. Exits 0 only when nothing was lost, duplicated, out of order or left unfinished.

  --kills K        kills of the broker, or of its workerd alone (default 5)
  --cuts C         cuts (default 50)
  --minutes T      over which they are spread (default 3)
  --agent-kills N  kills of agents (default 0); some keep a journal, and must not repeat anything then
  --sessions S     lasting sessions (default 20); short ones come and go beside them
  --rate R         messages per second in each direction of each session (default 10), and a tenth as many tasks
  --seed S         the dice (default: new ones, printed)
  --keep           leaves the folder with the agents' ledgers behind, and says where
  --json           prints one JSON object as the last line`;

const names = ["ant", "bee", "cat", "dog", "elk"];
/** These have a socket of their own for each session. */
const direct = new Set(["bee", "dog"]);
/** These keep a journal: killed, they repeat nothing. Of the others what comes again is marked. */
const journaled = new Set(["ant", "bee", "elk"]);
const readyMs = 60_000;
/** L15 and L14 and a reconnect, with room for a busy machine. */
const healMsMax = 90_000;
const leaveMsMax = 60_000;
const tellMs = 5_000;

/** Sessions between all pairs in turn, opened by either. */
function castOf(sessions: number): Cast[] {
  const cast = names.map(
    (agent): Cast => ({
      agent,
      direct: direct.has(agent),
      journal: journaled.has(agent),
      links: [],
    }),
  );
  const pairs = cast.flatMap((a, i) => cast.slice(i + 1).map((b) => [a, b] as const));
  for (let i = 0; i < sessions; i++) {
    const pair = pairs[i % pairs.length];
    if (pair === undefined) break;
    const [opener, other] = Math.floor(i / pairs.length) % 2 === 0 ? pair : [pair[1], pair[0]];
    const link = `link-${i + 1}`;
    opener.links.push({ link, peer: other.agent, opens: true });
    other.links.push({ link, peer: opener.agent, opens: false });
  }
  return cast;
}

class Chaos {
  readonly kills = { done: 0, of: 0 };
  readonly cuts = { done: 0, of: 0 };
  readonly agentKills = { done: 0, of: 0 };
  readonly #stage: Stage;
  readonly #started = performance.now();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  say(text: string): void {
    console.error(`${((performance.now() - this.#started) / 1000).toFixed(1).padStart(7)}s  ${text}`);
  }

  tell(): void {
    const sum = (count: (actor: Stage["actors"][number]) => number) =>
      this.#stage.actors.reduce((total, actor) => total + count(actor), 0);
    const of = (fact: Fact) => `${fact} ${sum(({ counts }) => counts[fact] ?? 0)}`;
    const { kills, cuts } = this;
    this.say(
      `kills ${kills.done}/${kills.of} · cuts ${cuts.done}/${cuts.of} · ${facts.slice(0, 3).map(of).join(" · ")} · reconnects ${sum((actor) => actor.reconnects)} · waiting ${sum((actor) => actor.waiting)}`,
    );
  }

  /** Carries the plan out. A cut that found nothing to cut is tried again. */
  async inflict(dice: Dice, plan: { kills: number; cuts: number; agentKills: number; durationMs: number }) {
    this.kills.of = plan.kills;
    this.cuts.of = plan.cuts;
    this.agentKills.of = plan.agentKills;
    const begun = performance.now();
    const running: Promise<void>[] = [];
    for (const { atMs, fault } of planFaults(dice, plan)) {
      await sleep(Math.max(0, atMs - (performance.now() - begun)));
      const inflicted = this.#inflict(fault);
      // The broker is killed once it runs again, not while it starts; cuts go on meanwhile.
      if (fault.do === "cut") running.push(inflicted);
      else await inflicted;
    }
    await Promise.all(running);
    await sleep(Math.max(0, plan.durationMs - (performance.now() - begun)));
  }

  async #inflict(fault: Fault): Promise<void> {
    const { actors } = this.#stage;
    if (fault.do === "kill") {
      this.say(fault.whole ? "kills the broker" : "kills workerd");
      const begun = performance.now();
      await this.#stage.killBroker(fault.whole);
      this.kills.done++;
      this.say(`runs again after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      return;
    }
    const actor = actors[Math.floor(fault.agent * actors.length)];
    if (fault.do === "killAgent") {
      this.say(`kills ${actor?.plan.agent}`);
      await actor?.restart();
      this.agentKills.done++;
      return;
    }
    while (!(await actor?.cable.cutAt(fault.strand, fault.cut))) await sleep(50);
    this.cuts.done++;
  }
}

async function run(
  state: string,
  options: Record<"kills" | "cuts" | "agentKills" | "sessions" | "rate" | "seed", number>,
  durationMs: number,
) {
  const stage = new Stage(state);
  const chaos = new Chaos(stage);
  const telling = setInterval(() => chaos.tell(), tellMs);
  try {
    await stage.start(castOf(options.sessions), { ...options, readyMs });
    chaos.say(`${options.sessions} sessions between ${names.length} agents are open`);
    await chaos.inflict(dice(seedOf(options.seed, "faults")), { ...options, durationMs });
    chaos.say("the network has healed; everything must come to its end");
    const late = [];
    // One that was killed last may still be starting.
    await stage.until("ready", healMsMax);
    for (const actor of stage.actors) actor.tell({ kind: "settle" });
    if (!(await stage.until("settled", healMsMax)))
      late.push(...stage.actors.filter((actor) => actor.state !== "settled"));
    chaos.tell();
    for (const actor of stage.actors) actor.tell({ kind: "leave" });
    if (late.length === 0 && !(await stage.until("left", leaveMsMax)))
      late.push(...stage.actors.filter((actor) => actor.state !== "left"));
    const troubles = stage.actors.flatMap(({ plan, troubles }) => troubles.map((text) => `${plan.agent}: ${text}`));
    for (const { plan, state, waiting } of late)
      troubles.push(`${plan.agent} is ${state} and waits for ${waiting} things`);
    const current = new Set(stage.actors.map(({ plan }) => `${plan.agent}.${plan.incarnation}`));
    const verdict = judge(
      stage.actors.map(({ plan }) => readLedger(join(plan.folder, "ledger"))),
      (stream, receiver) => {
        const plan = receiver === undefined ? undefined : stage.actors[receiver]?.plan;
        const holes = plan === undefined ? 0 : holesOf(stream, plan);
        return { ...excuseOf(stream, (incarnation) => current.has(incarnation)), holes };
      },
    );
    return { chaos, verdict, troubles };
  } finally {
    clearInterval(telling);
    await stage.end();
  }
}

await runCommand(async () => {
  const { values } = readCommandLine(usage, {
    kills: { type: "string", default: "5" },
    cuts: { type: "string", default: "50" },
    minutes: { type: "string", default: "3" },
    "agent-kills": { type: "string", default: "0" },
    sessions: { type: "string", default: "20" },
    rate: { type: "string", default: "10" },
    seed: { type: "string" },
    keep: { type: "boolean" },
    json: { type: "boolean" },
  });
  const options = {
    kills: wholeOf("--kills", values.kills),
    cuts: wholeOf("--cuts", values.cuts),
    agentKills: wholeOf("--agent-kills", values["agent-kills"]),
    sessions: wholeOf("--sessions", values.sessions, 1),
    rate: numberOf("--rate", values.rate, 0.1),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : wholeOf("--seed", values.seed),
  };
  console.error(`seed ${options.seed}`);
  const state = await mkdtemp(join(tmpdir(), "agentworks-chaos-"));
  try {
    const { chaos, verdict, troubles } = await run(
      state,
      options,
      numberOf("--minutes", values.minutes, 0.01) * 60_000,
    );
    for (const text of [...verdict.findings, ...troubles]) console.error(text);
    const result = {
      kills: chaos.kills.done,
      cuts: chaos.cuts.done,
      messages: verdict.messages,
      lost: verdict.lost,
      duplicated: verdict.duplicated,
      outOfOrder: verdict.outOfOrder,
      unfinished: verdict.unfinished + troubles.length,
    };
    console.log();
    const table = options.agentKills === 0 ? result : { "agent kills": chaos.agentKills.done, ...result };
    for (const [name, value] of Object.entries(table)) console.log(`${name.padEnd(12)} ${String(value).padStart(9)}`);
    if (values.json) console.log(`\n${JSON.stringify(result)}`);
    if (result.lost + result.duplicated + result.outOfOrder + result.unfinished > 0) process.exitCode = 1;
  } finally {
    if (values.keep) console.error(`the ledgers are in ${join(state, "chaos")}`);
    else await rm(state, { recursive: true, force: true, maxRetries: 3 });
  }
});
process.exit();
