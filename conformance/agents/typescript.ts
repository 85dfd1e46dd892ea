// The echo agent that `npm run conformance -- client` tests (docs/CONFORMANCE.md), over the TypeScript SDK.
import { type Agent, connect, type Session, TaskExpired, TaskFailed } from "../../sdk/typescript/src/index.ts";

const { AGENTWORKS_URL = "", AGENTWORKS_CA = "", AGENTWORKS_CERT = "", AGENTWORKS_KEY = "" } = process.env;

interface Order {
  do: string;
  ms?: number;
  count?: number;
  input?: unknown;
}

const isOrder = (content: unknown): content is Order =>
  typeof content === "object" && content !== null && "do" in content && typeof content.do === "string";

const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** What is not awaited may fail with its session: that is no failure of this program. */
const leave = (work: Promise<unknown>): void => void work.catch(() => {});

async function request(session: Session, input: unknown): Promise<void> {
  try {
    const result = await session.request("echo", input).result;
    leave(session.send({ status: "succeeded", result }));
  } catch (error) {
    const status = error instanceof TaskFailed ? "failed" : error instanceof TaskExpired ? "expired" : "cancelled";
    leave(session.send({ status }));
  }
}

async function open(agent: Agent, peer: string): Promise<void> {
  const session = await agent.open(peer, { waitMs: 10_000 });
  leave(session.send("opened"));
}

async function obey(agent: Agent, session: Session, order: Order): Promise<void> {
  switch (order.do) {
    case "wait":
      return sleep(order.ms ?? 0);
    case "send":
      for (let n = 1; n <= (order.count ?? 0); n++) leave(session.send(n));
      return;
    case "request":
      return leave(request(session, order.input));
    case "open":
      return leave(open(agent, session.peer));
    case "close":
      return leave(session.close("told to"));
  }
}

async function converse(agent: Agent, session: Session): Promise<void> {
  for await (const { content } of session.messages()) {
    if (isOrder(content)) await obey(agent, session, content);
    else leave(session.send(content));
  }
}

const agent = await connect({
  url: AGENTWORKS_URL,
  caFile: AGENTWORKS_CA,
  certFile: AGENTWORKS_CERT,
  keyFile: AGENTWORKS_KEY,
});
leave(
  agent.handle("echo", async (input, { signal }) => {
    const { ms } = (input ?? {}) as { ms?: unknown };
    if (typeof ms === "number") await sleep(ms, signal);
    return input;
  }),
);
for await (const session of agent.sessions()) leave(converse(agent, session));
