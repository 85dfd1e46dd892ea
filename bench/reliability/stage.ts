// The processes of a chaos run: a broker, and agents that reach it each through a cable of their own. It starts, kills and
// restarts them; what they say to each other is not its business.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { BrokerProcess, killChild, workerdPidOf } from "../../scripts/broker/child.ts";
import { type Cable, layCable } from "../../scripts/cable.ts";
import { certifyAgent } from "../../scripts/certificates/certify.ts";
import { Failure } from "../../scripts/failure.ts";
import type { Fact } from "./ledger.ts";
import type { AgentPlan, LinkPlan, Order, Report } from "./rules.ts";

const agentScript = fileURLToPath(new URL("./agent.ts", import.meta.url));
const pollMs = 20;

/** An agent over all its incarnations. */
export class Actor {
  readonly plan: AgentPlan;
  readonly cable: Cable;
  readonly troubles: string[] = [];
  state: "starting" | "ready" | "settled" | "left" = "starting";
  counts: Partial<Record<Fact, number>> = {};
  waiting = 0;
  reconnects = 0;
  #process: ChildProcess | undefined;

  constructor(plan: AgentPlan, cable: Cable) {
    this.plan = plan;
    this.cable = cable;
  }

  start(): void {
    this.state = "starting";
    const child = fork(agentScript, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process = child;
    child.on("message", (report: Report) => this.#hear(report));
    child.once("exit", (code) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      if (this.state !== "left") this.troubles.push(`its process ended by itself (${code})`);
    });
    child.send(this.plan);
  }

  #hear(report: Report): void {
    if (report.kind === "trouble") this.troubles.push(report.text);
    else if (report.kind !== "counts") this.state = report.kind;
    else {
      this.counts = report.counts;
      this.waiting = report.waiting;
      this.reconnects = report.reconnects;
    }
  }

  /** Its process ended by itself, which it must not before it has left. */
  get isGone(): boolean {
    return this.#process === undefined;
  }

  tell(order: Order): void {
    this.#process?.send(order);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child !== undefined) await killChild(child);
  }

  /** Kills it, and starts its next incarnation. */
  async restart(): Promise<void> {
    await this.kill();
    this.plan.incarnation++;
    this.start();
  }
}

export interface Cast {
  agent: string;
  direct: boolean;
  journal: boolean;
  links: LinkPlan[];
}

export class Stage {
  readonly state: string;
  readonly actors: Actor[] = [];
  readonly #broker: BrokerProcess;

  /** @param state an empty folder */
  constructor(state: string) {
    this.state = state;
    this.#broker = new BrokerProcess(state);
  }

  /** Starts the broker and the agents; resolves when all sessions are open. */
  async start(cast: readonly Cast[], { seed, rate, readyMs }: { seed: number; rate: number; readyMs: number }) {
    await this.#broker.start();
    for (const { agent, direct, journal: keeps, links } of cast) {
      const { caFile, certificateFile, keyFile } = await certifyAgent({ stateDir: this.state, agentId: agent });
      const cable = await layCable(this.#broker.port);
      const url = `wss://localhost:${cable.port}`;
      const peers = cast.map((one) => one.agent).filter((one) => one !== agent);
      const folder = join(this.state, "chaos", agent);
      const journal = keeps ? join(folder, "journal") : undefined;
      const files = { caFile, certFile: certificateFile, keyFile };
      const plan: AgentPlan = {
        agent,
        incarnation: 1,
        url,
        ...files,
        direct,
        journal,
        seed,
        links,
        peers,
        folder,
        rate,
      };
      this.actors.push(new Actor(plan, cable));
    }
    // An agent that the registry does not know yet cannot be offered a session: all of them first.
    for (const actor of this.actors) actor.start();
    if (!(await this.until("ready", readyMs))) {
      const why = this.actors.flatMap(({ plan, state, troubles }) => [`${plan.agent}: ${state}`, ...troubles]);
      throw new Failure(`The agents did not open their sessions in time.\n${why.join("\n")}`);
    }
  }

  /** Waits until all agents are in that state; false when they are not in time. */
  async until(state: Actor["state"], msMax: number): Promise<boolean> {
    for (const end = performance.now() + msMax; performance.now() < end; ) {
      if (this.actors.every((actor) => actor.state === state)) return true;
      if (this.actors.some((actor) => actor.isGone && actor.state !== state)) return false;
      await sleep(pollMs);
    }
    return false;
  }

  killBroker(whole: boolean): Promise<void> {
    return whole ? this.#broker.restart() : this.#killWorkerd();
  }

  /** The broker starts the next one by itself. */
  async #killWorkerd(): Promise<void> {
    const before = await workerdPidOf(this.state);
    if (before === undefined) throw new Error("the broker's lock names no workerd");
    process.kill(before, "SIGKILL");
    while ((await workerdPidOf(this.state)) === before) await sleep(pollMs);
  }

  async end(): Promise<void> {
    for (const { cable } of this.actors) cable.close();
    await Promise.all(this.actors.map((actor) => actor.kill()));
    await this.#broker.end();
  }
}
