// Accounts that people make, members, roles and invitations.
import { and, eq } from "drizzle-orm";
import { describe, expect, it, vi } from "vitest";
import { bounds } from "../../../schema/bounds.ts";
import { invitations, members } from "../../../schema/people-tables.ts";
import { accounts } from "../../../schema/tables.ts";
import { administer, db } from "../worker/fixtures.ts";
import { expectProblem } from "../worker/problem.ts";
import { Browser, freshEmail, newMember, newPerson } from "./browser.ts";

// A password is hashed on purpose slowly, and a busy machine is slower.
vi.setConfig({ testTimeout: 30_000 });

interface Made {
  account: string;
  name: string;
}

/** Somebody with an account of their own. */
async function newOwner(name = "An account") {
  const browser = await newPerson();
  const { account } = await browser.expect<Made>(201, "POST", "/v1/accounts", { name });
  return Object.assign(browser, { account });
}

/** Somebody in the account of an owner. */
async function join(owner: Browser, role: string) {
  const browser = await newPerson();
  const { token } = await owner.expect<{ token: string }>(201, "POST", "/v1/invitations", {
    email: browser.email,
    role,
  });
  await browser.expect(200, "POST", "/v1/invitations/accept", { token });
  return browser;
}

const logOf = async (browser: Browser) =>
  (await browser.expect<{ entries: { action: string; target: string; actor: string }[] }>(200, "GET", "/v1/audit-log"))
    .entries;

describe("accounts of people", () => {
  it("are made by whoever is signed in, who owns them and asks about them from then on", async () => {
    const owner = await newOwner("Acme");
    expect(owner.account).toMatch(/^[a-z2-7]{16}$/);
    const { account, accounts: mine } = await owner.person();
    expect(account).toBe(owner.account);
    expect(mine).toEqual([{ account, name: "Acme", status: "active", role: "owner" }]);
    expect(await owner.expect<Made>(200, "GET", "/v1/account")).toMatchObject({ account, name: "Acme" });
    const [entry] = await logOf(owner);
    expect(entry).toMatchObject({ action: "account.create", target: account, actor: `person:${owner.id}` });
  });

  it("have no name that people choose: it would tell which are taken", async () => {
    const person = await newPerson();
    for (const account of ["local", "surely-not-taken"]) {
      const refused = await person.ask("POST", "/v1/accounts", { account });
      expect((await expectProblem(refused, "permission_denied")).permission).toBe("accounts:write");
    }
  });

  it("are as many as one may own", async () => {
    const person = await newPerson();
    for (let i = 0; i < bounds.accountsOwnedMax; i++) await person.expect(201, "POST", "/v1/accounts", {});
    await expectProblem(await person.ask("POST", "/v1/accounts", {}), "too_many_accounts");
    expect((await person.person()).accounts).toHaveLength(bounds.accountsOwnedMax);
  });

  it("are made once under one Idempotency-Key", async () => {
    const person = await newPerson();
    const ask = () => person.ask("POST", "/v1/accounts", { name: "Once" }, { "Idempotency-Key": "once" });
    const [first, again] = [await ask(), await ask()];
    expect(await again.text()).toBe(await first.text());
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
    expect((await person.person()).accounts).toHaveLength(1);
  });

  it("are asked about by name, by whoever is in several; of others nobody learns whether they are", async () => {
    const person = await newOwner("First");
    const { account: second } = await person.expect<Made>(201, "POST", "/v1/accounts", { name: "Second" });
    const nameOf = async (query: string) => (await person.expect<Made>(200, "GET", `/v1/account${query}`)).name;
    expect(await nameOf("")).toBe("Second");
    expect(await nameOf(`?account=${person.account}`)).toBe("First");
    await person.expect(200, "PATCH", "/v1/person", { account: person.account });
    expect(await nameOf("")).toBe("First");
    expect(await nameOf(`?account=${second}`)).toBe("Second");

    const stranger = await newOwner();
    const answers = await Promise.all(
      [stranger.account, "nowhere"].map(async (account) => {
        const asked = await person.ask("GET", `/v1/account?account=${account}`);
        const chosen = await person.ask("PATCH", "/v1/person", { account });
        await expectProblem(asked.clone(), "account_not_found");
        return [await asked.text(), await chosen.text(), [...asked.headers.keys()], [...chosen.headers.keys()]];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect((await person.person()).account).toBe(person.account);
  });

  it("are needed: who has chosen none is told so", async () => {
    await expectProblem(await (await newPerson()).ask("GET", "/v1/agents"), "account_required");
  });

  it("open to nobody while they are suspended", async () => {
    const owner = await newOwner();
    const { token } = await owner.expect<{ token: string }>(201, "POST", "/v1/invitations", {
      email: freshEmail(),
      role: "viewer",
    });
    const guest = await newPerson();
    await db.update(invitations).set({ email: guest.email }).where(eq(invitations.accountId, owner.account));
    await db.update(accounts).set({ status: "suspended" }).where(eq(accounts.id, owner.account));
    await expectProblem(await owner.ask("GET", "/v1/agents"), "account_suspended");
    await expectProblem(await guest.ask("POST", "/v1/invitations/accept", { token }), "account_suspended");
    expect((await owner.person()).accounts[0]?.status).toBe("suspended");
  });
});

describe("members", () => {
  it("may what their role may, which the next request obeys", async () => {
    const owner = await newOwner();
    const member = await join(owner, "viewer");
    const make = () => member.ask("POST", "/v1/agents", { agent_id: "made-by-a-member" });
    expect((await expectProblem(await make(), "permission_denied")).permission).toBe("agents:write");
    await owner.expect(200, "PATCH", `/v1/members/${member.id}`, { role: "developer" });
    expect((await make()).status).toBe(201);
    expect(
      (await expectProblem(await member.ask("PUT", "/v1/policy", { rules: [] }), "permission_denied")).permission,
    ).toBe("policy:write");
    await owner.expect(200, "DELETE", `/v1/members/${member.id}`);
    await expectProblem(await member.ask("GET", "/v1/agents"), "account_required");
    await expectProblem(await member.ask("GET", `/v1/agents?account=${owner.account}`), "account_not_found");
    expect((await member.person()).account).toBeNull();
  });

  it("are listed in pages, the newest first", async () => {
    const owner = await newOwner();
    const roles = ["viewer", "developer", "owner"];
    const joined = [];
    for (const role of roles) joined.push(await join(owner, role));
    const seen: unknown[] = [];
    let cursor = "";
    do {
      const page = await owner.expect<{ members: { email: string; role: string }[]; next?: string }>(
        200,
        "GET",
        `/v1/members?limit=1${cursor}`,
      );
      seen.push(...page.members.map(({ email, role }) => [email, role]));
      cursor = page.next === undefined ? "" : `&cursor=${page.next}`;
    } while (cursor !== "");
    const expected = [[owner.email, "owner"], ...joined.map(({ email }, i) => [email, roles[i]])];
    expect(seen.sort()).toEqual(expected.sort());
  });

  it("keep one owner, whichever way the last one would go, and whoever goes at the same time", async () => {
    const owner = await newOwner();
    const self = `/v1/members/${owner.id}`;
    await expectProblem(await owner.ask("DELETE", self), "last_owner");
    await expectProblem(await owner.ask("PATCH", self, { role: "viewer" }), "last_owner");
    await owner.expect(200, "PATCH", self, { role: "owner" });

    const second = await join(owner, "owner");
    const answers = await Promise.all([
      owner.ask("PATCH", self, { role: "viewer" }),
      second.ask("DELETE", `/v1/members/${second.id}`),
      administer("DELETE", `${self}?account=${owner.account}`),
    ]);
    expect(answers.map(({ status }) => status).sort()).not.toEqual([200, 200, 200]);
    const own = and(eq(members.accountId, owner.account), eq(members.role, "owner"));
    expect(await db.select().from(members).where(own)).toHaveLength(1);
  });

  it("are changed with a row in the log each, and none for what changes nothing", async () => {
    const owner = await newOwner();
    const member = await join(owner, "viewer");
    const path = `/v1/members/${member.id}`;
    await owner.expect(200, "PATCH", path, { role: "developer" });
    await owner.expect(200, "PATCH", path, { role: "developer" });
    await owner.ask("DELETE", `/v1/members/${owner.id}`);
    await owner.expect(200, "DELETE", path);
    await expectProblem(await owner.ask("DELETE", path), "member_not_found");
    const deeds = (await logOf(owner)).map(
      ({ action, actor }) => `${action} ${actor === `person:${owner.id}` ? "owner" : "member"}`,
    );
    expect(deeds).toEqual([
      "member.remove owner",
      "member.change owner",
      "member.join member",
      "invitation.create owner",
      "account.create owner",
    ]);
  });

  it("of another account are not there", async () => {
    const [owner, other] = [await newOwner(), await newOwner()];
    const foreign = await owner.ask("PATCH", `/v1/members/${other.id}`, { role: "viewer" });
    const missing = await owner.ask("PATCH", `/v1/members/${"a".repeat(16)}`, { role: "viewer" });
    expect(await foreign.text()).toBe(await missing.text());
    await expectProblem(await owner.ask("DELETE", `/v1/members/${other.id}`), "member_not_found");
  });

  it("are given no more than their giver has: a key with members:write makes no owner", async () => {
    const owner = await newOwner();
    const member = await join(owner, "viewer");
    const scopes = ["members:read", "members:write"];
    const { key } = await owner.expect<{ key: string }>(201, "POST", "/v1/api-keys", { name: "invites", scopes });
    for (const role of ["owner", "developer", "viewer"]) {
      const changed = await administer("PATCH", `/v1/members/${member.id}`, { role }, key);
      await expectProblem(changed, "permission_denied");
      const invited = await administer("POST", "/v1/invitations", { email: freshEmail(), role }, key);
      await expectProblem(invited, "permission_denied");
    }
  });
});

describe("invitations", () => {
  const invite = async (owner: Browser, email: string, role = "developer") =>
    owner.expect<{ invitation_id: string; token: string; link: string }>(201, "POST", "/v1/invitations", {
      email,
      role,
    });

  it("show by their link what they are to, and are taken up once, by whom they are for", async () => {
    const owner = await newOwner("Acme");
    const guest = await newPerson();
    const { token, link } = await invite(owner, guest.email.toUpperCase());
    const shown = await new Browser().expect(200, "GET", link.slice("https://broker.example".length));
    expect(shown).toMatchObject({ account_name: "Acme", email: guest.email, role: "developer" });

    const thief = await newPerson();
    await expectProblem(await thief.ask("POST", "/v1/invitations/accept", { token }), "invitation_invalid");
    const answers = await Promise.all([1, 2, 3].map(() => guest.ask("POST", "/v1/invitations/accept", { token })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
    expect(await guest.person()).toMatchObject({ account: owner.account, accounts: [{ role: "developer" }] });
    await expectProblem(await new Browser().ask("GET", `/v1/auth/invitation?token=${token}`), "invitation_invalid");
  });

  it("are listed while they are open, and nothing of them is a secret in D1", async () => {
    const owner = await newOwner();
    const { invitation_id, token } = await invite(owner, freshEmail());
    const late = await invite(owner, freshEmail());
    await db.update(invitations).set({ expiresAt: 1 }).where(eq(invitations.id, late.invitation_id));
    const { invitations: open } = await owner.expect<{ invitations: object[] }>(200, "GET", "/v1/invitations");
    expect(open).toMatchObject([{ invitation_id, role: "developer", invited_by: `person:${owner.id}` }]);
    expect(JSON.stringify(open)).not.toContain(token.slice(-43));
    expect(JSON.stringify(await db.select().from(invitations))).not.toContain(token.slice(-43));
  });

  it("end by being revoked, by their time, or by another one for the same address", async () => {
    const owner = await newOwner();
    const guest = await newPerson();
    const accept = (token: string) => guest.ask("POST", "/v1/invitations/accept", { token });
    const revoked = await invite(owner, guest.email);
    await owner.expect(200, "DELETE", `/v1/invitations/${revoked.invitation_id}`);
    await expectProblem(await accept(revoked.token), "invitation_invalid");
    await expectProblem(await owner.ask("DELETE", `/v1/invitations/${revoked.invitation_id}`), "invitation_not_found");
    const late = await invite(owner, guest.email);
    await db.update(invitations).set({ expiresAt: 1 }).where(eq(invitations.id, late.invitation_id));
    await expectProblem(await accept(late.token), "invitation_invalid");
    const [first, second] = [await invite(owner, guest.email), await invite(owner, guest.email, "viewer")];
    await expectProblem(await accept(first.token), "invitation_invalid");
    await expectProblem(await accept(`${second.token.slice(0, -43)}${"A".repeat(43)}`), "invitation_invalid");
    expect((await accept(second.token)).status).toBe(200);
    await expectProblem(
      await owner.ask("POST", "/v1/invitations", { email: guest.email, role: "owner" }),
      "member_exists",
    );
  });

  it("of another account are not there", async () => {
    const [owner, other] = [await newOwner(), await newOwner()];
    const { invitation_id } = await invite(other, freshEmail());
    await expectProblem(await owner.ask("DELETE", `/v1/invitations/${invitation_id}`), "invitation_not_found");
    expect(await owner.expect(200, "GET", "/v1/invitations")).toEqual({ invitations: [] });
  });

  it("are made by the operator for any account that there is", async () => {
    const body = { email: freshEmail(), role: "owner" };
    await expectProblem(await administer("POST", "/v1/invitations?account=nowhere", body), "account_not_found");
    const member = await newMember("owner", (await newOwner()).account);
    expect((await member.person()).accounts).toHaveLength(1);
  });

  it("are as many, with the members, as an account may have", async () => {
    const owner = await newOwner();
    const rows = Array.from({ length: bounds.membersMax - 1 }, (_, i) => ({
      id: `i${i}`,
      accountId: owner.account,
      email: `${i}@people.example`,
      role: "viewer" as const,
      secretHash: "",
      invitedBy: "operator",
      createdAt: 1,
      expiresAt: Date.now() + 3_600_000,
    }));
    for (let at = 0; at < rows.length; at += 10) await db.insert(invitations).values(rows.slice(at, at + 10));
    const body = { email: freshEmail(), role: "viewer" };
    await expectProblem(await owner.ask("POST", "/v1/invitations", body), "too_many_members");
    await db.delete(invitations).where(eq(invitations.id, "i7"));
    await owner.expect(201, "POST", "/v1/invitations", body);
  });
});
