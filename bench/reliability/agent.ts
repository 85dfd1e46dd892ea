// One agent of a chaos run, in a process of its own that may be killed at any moment. Its application is the load; what it
// knows is in its folder and nowhere else.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Agent, AgentworksError, connect, type Session } from "../../sdk/typescript/src/index.ts";
import { dice, seedOf } from "./dice.ts";
import { Ledger } from "./ledger.ts";
import {
  consumeMessages,
  expect,
  guard,
  performTask,
  produceMessages,
  produceTasks,
  requestAgain,
  requestTask,
  rest,
  type Self,
  sendNumbered,
} from "./load.ts";
import { Links, Tasks } from "./notebook.ts";
import { type AgentPlan, type Order, report, streamOf } from "./rules.ts";

const openMsMax = 600_000;
const countsMs = 500;
/** Short sessions on top of the lasting ones: one now and then. */
const shortSessionMsMax = 2_000;

async function run(plan: AgentPlan): Promise<void> {
  mkdirSync(plan.folder, { recursive: true });
  const links = new Links(join(plan.folder, "links"));
  const stop = new AbortController();
  let troubles = 0;
  const self: Self = {
    agent: plan.agent,
    incarnation: plan.incarnation,
    journal: plan.journal !== undefined,
    ledger: new Ledger(join(plan.folder, "ledger")),
    tasks: new Tasks(join(plan.folder, "tasks")),
    dice: dice(seedOf(plan.seed, `${plan.agent}.${plan.incarnation}`)),
    trouble: (text) => troubles++ < 20 && report({ kind: "trouble", text }),
    waiting: new Set(),
    stopping: stop.signal,
  };
  const agent = await connect({
    url: plan.url,
    caFile: plan.caFile,
    certFile: plan.certFile,
    keyFile: plan.keyFile,
    direct: plan.direct,
    ...(plan.journal !== undefined && { journal: plan.journal }),
    // Back soon: the less time is lost waiting, the more is in flight when the next fault comes.
    reconnect: { baseMs: 50, maxMs: 1_000 },
    accept: (offer) => {
      links.note(offer.id, (offer.metadata as { link: string }).link);
      return true;
    },
  });
  void agent.handle("work", (input, task) => performTask(self, input, task));

  const load: Promise<void>[] = [];
  const produce = (what: string, promise: Promise<void>) => load.push(guard(self, what, promise));
  const carry = (session: Session, link: string) => {
    void guard(self, `reading ${link}`, consumeMessages(self, session));
    void session.closed.then(({ reason, error }) => {
      if (error !== undefined && reason !== "agent_closed") self.trouble(`session ${link} ended: ${error.message}`);
    });
    for (const asked of self.tasks.takeOpen(session.id)) {
      expect(self, `task ${asked.work.stream} ${asked.work.n} again`, requestAgain(self, session, asked));
    }
    // Of a short session only its opener has something to say.
    if (!plan.links.some((one) => one.link === link)) return;
    produce(`messages of ${link}`, produceMessages(self, session, link, plan.rate));
    produce(`tasks of ${link}`, produceTasks(self, session, link, plan.rate / 10));
  };
  void serve(agent, (session) => {
    const link = links.of(session.id);
    // A short session that an earlier incarnation opened: what it had to say is gone with it.
    if (link === undefined) void guard(self, "closing", session.close("its opener was killed"));
    else carry(session, link);
  });
  const { reconnects } = watch(agent);
  const opening = plan.links
    .filter(({ link, opens }) => opens && !links.has(link))
    .map(async ({ link, peer }) => {
      const session = await agent.open(peer, { metadata: { link }, waitMs: openMsMax });
      links.note(session.id, link);
      carry(session, link);
    });
  await Promise.all(opening);
  produce("short sessions", openShortSessions(self, agent, plan));
  report({ kind: "ready" });

  const counting = setInterval(() => {
    const { counts } = self.ledger;
    report({ kind: "counts", counts, waiting: self.waiting.size, reconnects: reconnects() });
  }, countsMs);
  process.on("message", (order: Order) => {
    if (order.kind === "settle") {
      stop.abort();
      void settle(self, load).then(() => report({ kind: "settled" }));
    } else {
      clearInterval(counting);
      void agent.drain().then(() => process.send?.({ kind: "left" }, () => process.exit()));
    }
  });
}

async function serve(agent: Agent, take: (session: Session) => void): Promise<void> {
  for await (const session of agent.sessions()) take(session);
}

/** Nothing more is produced, and everything that was has come to its end. Readers go on: their sessions are open. */
async function settle(self: Self, load: readonly Promise<void>[]): Promise<void> {
  await Promise.all(load);
  while (self.waiting.size > 0) await Promise.all(self.waiting);
}

function watch(agent: Agent): { reconnects: () => number } {
  let reconnects = 0;
  void (async () => {
    for await (const status of agent.status()) {
      if (status.type === "connected") reconnects++;
      if (status.type !== "fault" || status.error.retryable) continue;
      // What a performer says after the end of a task is refused; that only cancelled tasks end early is for the judge.
      if (status.error.reason === "task_finished") continue;
      report({ kind: "trouble", text: `fault: ${status.error.message}` });
    }
  })();
  return { reconnects: () => reconnects };
}

/** Opens a session, says a few things, closes it at once: everything must arrive all the same. */
async function shortSession(self: Self, agent: Agent, peer: string, link: string): Promise<void> {
  const session = await agent.open(peer, { metadata: { link }, waitMs: openMsMax }).catch((error: unknown) => {
    // The peer was killed before it answered: nothing was said yet.
    if (error instanceof AgentworksError && error.reason === "offer_expired") return undefined;
    throw error;
  });
  if (session === undefined) return;
  void guard(self, `reading ${link}`, consumeMessages(self, session));
  const messages = streamOf(link, self.agent, self.incarnation, "m");
  const requests = streamOf(link, self.agent, self.incarnation, "r");
  if (self.dice.chance(0.5)) {
    await requestTask(self, session, requests, 1);
    self.ledger.note("ended", requests, 1);
  }
  const count = self.dice.magnitude(20);
  for (let n = 1; n <= count; n++) sendNumbered(self, session, messages, n);
  self.ledger.note("ended", messages, count);
  await session.close("said");
  const { error } = await session.closed;
  if (error !== undefined) throw error;
}

async function openShortSessions(self: Self, agent: Agent, { peers, agent: name, incarnation }: AgentPlan) {
  for (let turn = 1; !self.stopping.aborted; turn++) {
    await rest(self, self.dice.next() * shortSessionMsMax);
    const peer = peers[self.dice.between(0, peers.length - 1)];
    if (peer === undefined || self.stopping.aborted) return;
    const link = `short-${name}-${incarnation}-${turn}`;
    await guard(self, `session ${link}`, shortSession(self, agent, peer, link));
  }
}

process.once("message", (plan: AgentPlan) => {
  run(plan).catch((error: unknown) => {
    console.error(`${plan.agent}:`, error);
    process.exit(1);
  });
});
