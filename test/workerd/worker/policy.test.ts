// The policy: its truth table; kept by HTTP; and obeyed where sessions are opened and capabilities announced.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { judgePolicy, type Party, type PolicyQuestion, type Rule } from "../../../schema/policy.ts";
import { Agent, everyWay, multiplexed, plain, uuid } from "../objects/agents.ts";
import { Duo } from "../objects/duo.ts";
import { administer } from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const party = (agent: string, more: Partial<Party> = {}): Party => ({ agent, tags: [], capabilities: [], ...more });
const planner = party("planner", { tags: ["prod"], capabilities: ["plan"] });
const analyst = party("analyst", { tags: ["prod", "eu"], capabilities: ["sum", "translate"] });
const guest = party("guest");

const open = (from: Party, to: Party): PolicyQuestion => ({ action: "open", from, to });
const offer = (agent: Party, capability: string): PolicyQuestion => ({ action: "offer", agent, capability });
type OpenRule = Extract<Rule, { action: "open" }>;
type OfferRule = Extract<Rule, { action: "offer" }>;
const onOpen = (effect: Rule["effect"], from: OpenRule["from"] = {}, to: OpenRule["to"] = {}): Rule => ({
  effect,
  action: "open",
  from,
  to,
});
const onOffer = (effect: Rule["effect"], agent: OfferRule["agent"] = {}, capability?: string): Rule => ({
  effect,
  action: "offer",
  agent,
  ...(capability !== undefined && { capability }),
});

describe("judgePolicy", () => {
  const everyone = onOpen("deny");
  const table: [string, Rule[], PolicyQuestion, boolean][] = [
    ["no rules: everybody may open", [], open(guest, analyst), true],
    ["no rules: everybody may offer", [], offer(guest, "sum"), true],
    ["a rule that denies all", [everyone], open(planner, analyst), false],
    ["… says nothing of offers", [everyone], offer(planner, "sum"), true],
    ["a rule about offers says nothing of sessions", [onOffer("deny")], open(planner, analyst), true],
    ["by the name of who opens", [onOpen("deny", { agent: "guest" })], open(guest, analyst), false],
    ["… others may", [onOpen("deny", { agent: "guest" })], open(planner, analyst), true],
    ["… the other way round too", [onOpen("deny", { agent: "guest" })], open(analyst, guest), true],
    ["by the name of the other", [onOpen("deny", {}, { agent: "analyst" })], open(planner, analyst), false],
    ["by both: both must fit", [onOpen("deny", { agent: "guest" }, { agent: "planner" })], open(guest, analyst), true],
    ["… and do", [onOpen("deny", { agent: "guest" }, { agent: "analyst" })], open(guest, analyst), false],
    ["by a tag", [onOpen("deny", { tag: "prod" })], open(planner, guest), false],
    ["… that it has not", [onOpen("deny", { tag: "eu" })], open(planner, guest), true],
    ["… of the other", [onOpen("deny", {}, { tag: "eu" })], open(planner, analyst), false],
    ["by a capability of the other", [onOpen("deny", {}, { capability: "sum" })], open(guest, analyst), false],
    ["… that it has not", [onOpen("deny", {}, { capability: "plan" })], open(guest, analyst), true],
    ["… of who opens", [onOpen("deny", { capability: "plan" })], open(planner, guest), false],
    ["the first that fits decides", [onOpen("allow", { tag: "prod" }), everyone], open(planner, analyst), true],
    ["… for those that it fits", [onOpen("allow", { tag: "prod" }), everyone], open(guest, analyst), false],
    ["… whatever comes after", [everyone, onOpen("allow", { tag: "prod" })], open(planner, analyst), false],
    ["a name is not a tag", [onOpen("deny", { tag: "planner" })], open(planner, analyst), true],
    ["no capability at all", [onOffer("deny", { agent: "guest" })], offer(guest, "sum"), false],
    ["… for others", [onOffer("deny", { agent: "guest" })], offer(planner, "sum"), true],
    ["that capability", [onOffer("deny", {}, "sum")], offer(guest, "sum"), false],
    ["… and no other", [onOffer("deny", {}, "sum")], offer(guest, "plan"), true],
    [
      "only those with a tag",
      [onOffer("allow", { tag: "eu" }, "sum"), onOffer("deny", {}, "sum")],
      offer(analyst, "sum"),
      true,
    ],
    [
      "… and nobody else",
      [onOffer("allow", { tag: "eu" }, "sum"), onOffer("deny", {}, "sum")],
      offer(planner, "sum"),
      false,
    ],
    ["by what else it offers", [onOffer("deny", { capability: "translate" }, "sum")], offer(analyst, "sum"), false],
  ];
  it.each(table)("%s", (_, rules, question, allowed) => expect(judgePolicy(rules, question)).toBe(allowed));
});

const put = (rules: object[], headers = {}) => administer("PUT", "/v1/policy", { rules }, undefined, headers);

describe("PUT /v1/policy", () => {
  it("replaces the rules as a whole, in the revision that was seen", async () => {
    await administer("POST", "/v1/accounts", { account: "local" });
    const empty = await administer("GET", "/v1/policy");
    expect(await empty.json()).toEqual({ rules: [] });
    const seen = { "If-Match": empty.headers.get("ETag") ?? "" };
    const saved = await put([{ effect: "deny", action: "open" }], seen);
    const full = [onOpen("deny")];
    expect(await saved.json()).toEqual({ rules: full });
    const shown = await administer("GET", "/v1/policy");
    expect([await shown.json(), shown.headers.get("ETag")]).toEqual([{ rules: full }, saved.headers.get("ETag")]);
    await expectProblem(await put([], seen), "precondition_failed");
    expect((await put([], { "If-Match": saved.headers.get("ETag") ?? "" })).status).toBe(200);
    await expectProblem(await administer("PUT", "/v1/policy?account=nowhere", { rules: [] }), "account_not_found");
    const { entries } = await (await administer("GET", "/v1/audit-log")).json<{ entries: { action: string }[] }>();
    expect(entries.filter(({ action }) => action === "policy.replace")).toHaveLength(2);
  });

  it.each([
    ["an unknown effect", { effect: "maybe", action: "open" }],
    ["an unknown action", { effect: "deny", action: "close" }],
    ["two ways to select", { effect: "deny", action: "open", from: { agent: "a", tag: "b" } }],
    ["an unknown way to select", { effect: "deny", action: "open", from: { account: "a" } }],
    ["a name that is none", { effect: "deny", action: "open", to: { agent: "A" } }],
    ["a side that the action has not", { effect: "deny", action: "offer", from: {} }],
  ])("refuses %s", async (_, rule) => {
    await expectProblem(await put([rule]), "invalid_request");
  });

  it("refuses more rules than 200", async () => {
    await expectProblem(await put(Array(201).fill({ effect: "deny", action: "open" })), "invalid_request");
  });
});

describe("what is decided", () => {
  const decision = (query: string) => administer("GET", `/v1/policy/decision?${query}`);

  it("is said before anybody asks, with the rule that decides", async () => {
    await administer("POST", "/v1/accounts", { account: "local" });
    await administer("POST", "/v1/agents", { agent_id: "trusting", tags: ["prod"] });
    await administer("POST", "/v1/agents", { agent_id: "visiting", tags: ["guest"] });
    const rules = [onOpen("allow", { tag: "prod" }), onOpen("deny", { tag: "guest" }), onOffer("deny", {}, "refund")];
    await put(rules);
    for (const [query, place] of [
      ["agent=trusting&to=visiting", 0],
      ["agent=visiting&to=trusting", 1],
      ["agent=visiting&capability=refund", 2],
      ["agent=visiting&capability=count", null],
      ["agent=trusting&to=visiting&capability=refund", 2],
      ["agent=trusting&to=visiting&capability=count", 0],
      ["agent=visiting&to=trusting&capability=refund", 1],
    ] as const) {
      const rule = place === null ? null : rules[place];
      expect(await (await decision(query)).json()).toEqual({ allowed: rule?.effect !== "deny", rule, place });
    }
    await put([]);
    expect(await (await decision("agent=visiting&to=trusting")).json()).toEqual({
      allowed: true,
      rule: null,
      place: null,
    });
  });

  it("is no guess: agents that are not there, and half a question, are refused", async () => {
    await expectProblem(await decision("agent=nobody&to=trusting"), "agent_not_found");
    for (const half of ["", "agent=trusting", "to=visiting", "capability=count"]) {
      await expectProblem(await decision(half), "invalid_request");
    }
  });
});

describe("opening a session", () => {
  beforeEach(async () => {
    await administer("POST", "/v1/accounts", { account: "local" });
  });
  afterEach(async () => {
    await put([]);
  });
  const rejected = async (agent: Agent, session_id: string) =>
    (await agent.connection.next("SESSION_REJECT", (one) => one.session_id === session_id)).data.reason;

  everyWay(
    "[N18] is refused where the policy says so, the other hears nothing, and what is open goes on",
    async (way) => {
      const open = await Duo.open(way);
      expect((await put([onOpen("deny", { agent: open.a.name }, { agent: open.b.name })])).status).toBe(200);
      const refused = new Duo(open.a, open.b);
      await open.a.tell(refused.init());
      expect(await rejected(open.a, refused.session_id)).toBe("policy_denied");
      await open.expectAlive(1, 1);
      // The other direction is another question.
      const back = new Duo(open.b, open.a);
      await back.begin();
      expect(open.b.connection.unread("SESSION_INIT")).toEqual([]);
      expect((await refused.record()).state).toBe("rejected");
    },
    multiplexed,
  );

  it("[N18] goes by tags and capabilities as they are now", async () => {
    const duo = await Duo.met(plain, { b: [{ name: "sum" }] });
    await put([onOpen("allow", { tag: "trusted" }), onOpen("deny", {}, { capability: "sum" })]);
    const first = new Duo(duo.a, duo.b);
    await duo.a.tell(first.init());
    expect(await rejected(duo.a, first.session_id)).toBe("policy_denied");
    await administer("PATCH", `/v1/agents/${duo.a.name}`, { tags: ["trusted"] });
    await duo.begin();
  });

  it("[N18] by capability finds those only whom the policy allows", async () => {
    const capability = `sum-${uuid()}`;
    const [one, other, seeker] = [
      await Agent.registered(plain, "doer", [{ name: capability }]),
      await Agent.registered(plain, "doer", [{ name: capability }]),
      await Agent.registered(plain, "seeker"),
    ];
    const seek = async () => {
      const session_id = uuid();
      await seeker.tell({ type: "SESSION_INIT", id: uuid(), session_id, data: { capability } });
      return session_id;
    };
    await put([onOpen("deny", {}, { agent: one.name })]);
    for (const _ of [1, 2, 3]) {
      const session_id = await seek();
      await other.connection.next("SESSION_INIT", (offered) => offered.session_id === session_id);
    }
    await put([onOpen("deny", {}, { agent: one.name }), onOffer("deny", { agent: other.name }, capability)]);
    expect(await rejected(seeker, await seek())).toBe("capability_unknown");
    // Named, it is not reached for that capability either.
    const named = uuid();
    await seeker.tell({ type: "SESSION_INIT", id: uuid(), session_id: named, to: other.name, data: { capability } });
    expect(await rejected(seeker, named)).toBe("policy_denied");
  });
});

describe("announcing", () => {
  const sum = `sum-${uuid()}`;
  beforeEach(async () => {
    await administer("POST", "/v1/accounts", { account: "local" });
    await put([onOffer("deny", {}, sum)]);
  });
  afterEach(async () => {
    await put([]);
  });
  const found = async (agent: Agent) => {
    const { capabilities } = await (await administer("GET", `/v1/agents/${agent.name}`)).json<{
      capabilities: { name: string }[];
    }>();
    return capabilities.map(({ name }) => name);
  };

  it("[R7] REGISTER leaves out what is denied, and says so; registered again, it is judged anew", async () => {
    const agent = await Agent.enrolled(plain, "offering");
    await agent.register([{ name: "plan" }, { name: sum }]);
    const { data } = await agent.connection.next("ERROR");
    expect(data).toMatchObject({ reason: "capability_denied", issues: [{ path: sum }] });
    expect(await found(agent)).toEqual(["plan"]);
    await put([]);
    await agent.register([{ name: "plan" }, { name: sum }]);
    expect(await found(agent)).toEqual(["plan", sum].sort());
  });

  it("[R7] CAPABILITY_ANNOUNCE with a denied one changes nothing", async () => {
    const agent = await Agent.registered(plain, "offering", [{ name: "plan" }]);
    const announce = (...names: string[]) => {
      const capabilities = names.map((name) => ({ name }));
      return { type: "CAPABILITY_ANNOUNCE", id: uuid(), data: { capabilities } };
    };
    const denied = announce("other", sum);
    await agent.tell(denied);
    expect((await agent.errorAbout(denied.id)).reason).toBe("capability_denied");
    expect(await found(agent)).toEqual(["plan"]);
    await agent.tell(announce("other"));
    await agent.connection.next("CAPABILITY_ACK");
    expect(await found(agent)).toEqual(["other"]);
  });
});
