// Our broker passes the suite for brokers, with two certified agents and its URL alone.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { brokerChecks, runBrokerSuite } from "../../conformance/broker/suite.ts";
import { Dialing } from "../e2e/dialing.ts";

describe("the suite for brokers", () => {
  let dialing: Dialing;
  beforeAll(async () => {
    dialing = await Dialing.start();
  });
  afterAll(() => dialing.close());

  it("our broker passes every check, and nothing is left open", async () => {
    const target = { url: dialing.broker.agentsUrl, ca: dialing.broker.authority.certificate };
    const [a, b] = [await dialing.certified("planner"), await dialing.certified("analyst")];
    const verdicts = await runBrokerSuite({ target, a, b });
    expect(verdicts.filter(({ result }) => result === "broken")).toEqual([]);
    expect(verdicts.filter(({ result }) => result === "ok").length).toBe(
      brokerChecks.filter(({ slow }) => !slow).length,
    );
  }, 120_000);
});
