// Two agents, `a` who opens and `b` who is asked, each of one language, behind a cable of its own. What they do is the scenarios'
// business.
import { setTimeout as sleep } from "node:timers/promises";
import { type Cable, layCable } from "../../scripts/cable.ts";
import { Driver } from "./driver.ts";
import type { Language } from "./languages.ts";
import type { Name, Parameters, Values } from "./protocol.ts";
import type { Papers, Stage } from "./stage.ts";

/** One agent over all its lives. */
export class Party {
  readonly agent: string;
  readonly language: Language;
  readonly role: "a" | "b";
  readonly papers: Papers;
  readonly cable: Cable;
  #driver: Driver;
  #complaints = "";

  private constructor(agent: string, language: Language, role: "a" | "b", papers: Papers, cable: Cable) {
    this.agent = agent;
    this.language = language;
    this.role = role;
    this.papers = papers;
    this.cable = cable;
    this.#driver = new Driver(this.language, this.role);
  }

  static async enter(
    stage: Stage,
    agent: string,
    language: Language,
    role: "a" | "b",
    more: Partial<Parameters["connect"]> = {},
  ): Promise<Party> {
    const party = new Party(agent, language, role, await stage.certify(agent), await layCable(stage.port));
    try {
      await party.connect(more);
      return party;
    } catch (error) {
      await party.end();
      throw error;
    }
  }

  /** Through its cable. */
  get url(): string {
    return `wss://localhost:${this.cable.port}`;
  }

  async connect(more: Partial<Parameters["connect"]> = {}): Promise<void> {
    await this.ask("connect", { url: this.url, ...this.papers, ...more });
  }

  ask<N extends Name>(name: N, parameters: Parameters[N]): Promise<Values[N]> {
    return this.#driver.ask(name, parameters);
  }

  get complaints(): string {
    return this.#complaints + this.#driver.complaints;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#driver.kill();
    this.#complaints += this.#driver.complaints;
  }

  /** The next life: a new process with the same certificate. */
  async start(more: Partial<Parameters["connect"]> = {}): Promise<void> {
    this.#driver = new Driver(this.language, this.role);
    await this.connect(more);
  }

  async restart(more: Partial<Parameters["connect"]> = {}): Promise<void> {
    await this.kill();
    await this.start(more);
  }

  /** The next life begins while this one still lives, and is superseded by it. Answers the former. */
  async supersede(): Promise<Driver> {
    const former = this.#driver;
    await this.start();
    return former;
  }

  /** Leaves by itself. */
  async leave(): Promise<void> {
    await this.#driver.leave();
  }

  async end(): Promise<void> {
    await this.kill();
    this.cable.close();
  }
}

/** Two who enter at once: both, or none. */
export async function enterBoth(a: Promise<Party>, b: Promise<Party>): Promise<[Party, Party]> {
  const entered = await Promise.allSettled([a, b]);
  const [first, second] = entered;
  if (first.status === "fulfilled" && second.status === "fulfilled") return [first.value, second.value];
  await Promise.all(entered.map((one) => (one.status === "fulfilled" ? one.value.end() : undefined)));
  throw entered.find((one) => one.status === "rejected")?.reason;
}

export class Pair {
  readonly name: string;
  readonly stage: Stage;
  readonly a: Party;
  readonly b: Party;

  private constructor(name: string, stage: Stage, a: Party, b: Party) {
    this.name = name;
    this.stage = stage;
    this.a = a;
    this.b = b;
  }

  /** @param life makes the agents' names new: what another life left open is not theirs */
  static async enter(stage: Stage, a: Language, b: Language, life: number): Promise<Pair> {
    const name = pairName(a, b);
    const [first, second] = await enterBoth(
      Party.enter(stage, `${name}-a${life}`, a, "a"),
      Party.enter(stage, `${name}-b${life}`, b, "b"),
    );
    return new Pair(name, stage, first, second);
  }

  /** A new session between the two: its id. */
  async open(): Promise<string> {
    const { session } = await this.a.ask("open", { peer: this.b.agent, wait_ms: 10_000 });
    await this.b.ask("session", { session });
    return session;
  }

  /** Closes it, and waits until both sides know. */
  async close(session: string): Promise<void> {
    await this.a.ask("close", { session, reason: "done" });
    await this.bothEnded(session, "done");
  }

  async bothEnded(session: string, reason: string): Promise<void> {
    for (const party of [this.a, this.b]) {
      const end = await party.ask("ended", { session });
      if (end.reason !== reason || end.error !== undefined) {
        throw new Error(`the session ended for ${party.role} with ${JSON.stringify(end)}, not with "${reason}"`);
      }
    }
  }

  /** What the drivers wrote to stderr. */
  get complaints(): string {
    return [this.a, this.b]
      .filter(({ complaints }) => complaints !== "")
      .map(({ role, language, complaints }) => `${language.name} ${role} wrote to stderr:\n${complaints}`)
      .join("\n");
  }

  async end(): Promise<void> {
    await Promise.all([this.a.end(), this.b.end()]);
  }
}

export const pairName = (a: Language, b: Language): string => `${a.name}-${b.name}`;

/** Waits until it holds; a sentence says what did not. */
export async function until(what: string, holds: () => Promise<boolean>, msMax = 15_000): Promise<void> {
  for (const end = performance.now() + msMax; performance.now() < end; await sleep(20)) {
    if (await holds()) return;
  }
  throw new Error(`not within ${msMax / 1000} s: ${what}`);
}
