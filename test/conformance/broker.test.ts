// The suite for brokers: ours passes it, by its URL and two certificates alone, and a broker that makes one mistake is caught.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { brokerChecks, runBrokerSuite } from "../../conformance/broker/suite.ts";
import { Dialing } from "../e2e/dialing.ts";
import { brokerMistakes, WrongBroker } from "./wrong-broker.ts";

describe("the suite for brokers", () => {
  it("our broker passes every check, and nothing is left open", async () => {
    const dialing = await Dialing.start();
    try {
      const target = { url: dialing.broker.agentsUrl, ca: dialing.broker.authority.certificate };
      const [a, b] = [await dialing.certified("planner"), await dialing.certified("analyst")];
      const verdicts = await runBrokerSuite({ target, a, b });
      expect(verdicts.filter(({ result }) => result === "broken")).toEqual([]);
      expect(verdicts.filter(({ result }) => result === "ok").length).toBe(
        brokerChecks.filter(({ slow }) => !slow).length,
      );
      const open = async () => {
        const agent = await dialing.dial(a);
        agent.say({ type: "REGISTER", id: crypto.randomUUID(), data: {} });
        return (await agent.next("REGISTER_ACK")).data.sessions;
      };
      await expect.poll(open, { timeout: 5_000 }).toEqual([]);
    } finally {
      await dialing.close();
    }
  }, 120_000);
});

describe("a broker that", () => {
  let broker: WrongBroker;
  beforeAll(async () => {
    broker = await WrongBroker.start();
  });
  afterAll(() => broker.close());

  const made = Object.entries(brokerMistakes).map(([mistake, [rule, title, change]]) => ({
    mistake,
    rule,
    title,
    change,
  }));

  it.each(made)(
    "$mistake breaks $rule",
    async ({ rule, title, change }) => {
      const [a, b] = broker.agents;
      if (a === undefined || b === undefined) throw new Error("two agents are needed");
      const suite = { target: broker.target, a, b, only: [title], sweeps: false };
      broker.change = (one) => [one];
      expect((await runBrokerSuite(suite)).map(({ result }) => result)).toEqual(["ok"]);
      broker.change = change;
      expect((await runBrokerSuite(suite)).map((verdict) => verdict.rule)).toEqual([rule]);
    },
    30_000,
  );
});
