// The rows of the authorization matrix, by hand: what each operation needs, and a request that succeeds for whoever may. It is
// written beside the code and not derived from it: a route without a row fails, and so does a row that says something else.
import { isNotNull } from "drizzle-orm";
import type { ErrorReason } from "../../../protocol/wire/errors.ts";
import { members, people } from "../../../schema/people-tables.ts";
import type { Permission, Role } from "../../../schema/permissions.ts";
import { createAgent, createApiKey } from "../../../schema/registry.ts";
import { accounts, certificates } from "../../../schema/tables.ts";
import { mintId } from "../../../worker/identity/bearer.ts";
import { newRequest } from "../certificates/requests.ts";
import { freshEmail, newPerson, password } from "../people/browser.ts";
import { administer, author, db, newAgent, origin } from "../worker/fixtures.ts";
import { type Caller, home, type World } from "./world.ts";

export interface Row {
  /**
   * `open`: everybody; `certificate`: an agent, and nobody else; `enrolment`: whoever has such a token; `person`: whoever is signed
   * in; else whoever has that permission.
   */
  needs: Permission | "open" | "certificate" | "enrolment" | "person";
  /** Agents may as well. */
  agents?: true;
  /** Whoever is signed in may as well, whatever account that one is in. */
  people?: true;
  /** It gives somebody a role: who lacks one of its permissions may not. */
  gives?: Role;
  /** Open, and to no page of others. */
  ownPages?: true;
  /** What whoever may gets. */
  ok: number;
  /** What an agent of another account, and everybody else there, is told of what is asked for here; left out: it asks for its own. */
  missing?: ErrorReason;
  upgrade?: true;
  /** A request that succeeds; what it destroys is made anew for each. */
  ask(world: World, caller: Caller): Promise<Asked> | Asked;
}

interface Asked {
  path: string;
  body?: object;
}

let count = 0;
const fresh = (label: string) => `${label}-${++count}`;

const aKey = async (): Promise<string> => {
  const id = fresh("k")
    .replace("-", "")
    .padEnd(16, "a")
    .replaceAll(/[0189]/g, (digit) => "bcde"["0189".indexOf(digit)] ?? "f");
  const key = { id, account: home, name: "target", secretHash: "0".repeat(64), scopes: [], expiresAt: null };
  await createApiKey(db, key, author());
  return id;
};

const anAgent = async (): Promise<string> => {
  const agent = fresh("target");
  await createAgent(db, home, agent, [], author());
  return agent;
};

/** A member of home's that can be changed, or removed. */
const aMember = async (): Promise<string> => {
  const id = mintId();
  const now = new Date();
  await db.insert(people).values({ id, name: id, email: `${id}@people.example`, createdAt: now, updatedAt: now });
  await db.insert(members).values({ accountId: home, personId: id, role: "viewer", createdAt: now.getTime() });
  return id;
};

/** An invitation into an account. */
const anInvitation = async (account = home, email = freshEmail()) => {
  const made = await administer("POST", `/v1/invitations?account=${account}`, { email, role: "viewer" });
  return made.json<{ invitation_id: string; token: string; link: string }>();
};

/** Somebody with a password, in no account. */
let somebody: Promise<{ email: string }> | undefined;
const aPerson = () => {
  somebody ??= newPerson();
  return somebody;
};

export const rows: Record<string, Row> = {
  "GET /health": { needs: "open", ok: 200, ask: () => ({ path: "/health" }) },
  "GET /v1/openapi.json": { needs: "open", ok: 200, ask: () => ({ path: "/v1/openapi.json" }) },
  "GET /docs": { needs: "open", ok: 200, ask: () => ({ path: "/docs" }) },
  "GET /v1/connect": { needs: "certificate", ok: 101, upgrade: true, ask: () => ({ path: "/v1/connect" }) },

  "GET /v1/account": { needs: "account:read", ok: 200, ask: () => ({ path: "/v1/account" }) },
  "PATCH /v1/account": {
    needs: "account:write",
    ok: 200,
    ask: () => ({ path: "/v1/account", body: { name: "renamed" } }),
  },

  "GET /v1/api-keys": { needs: "keys:read", ok: 200, ask: () => ({ path: "/v1/api-keys" }) },
  "POST /v1/api-keys": {
    needs: "keys:write",
    ok: 201,
    ask: () => ({ path: "/v1/api-keys", body: { name: fresh("key"), scopes: ["keys:write"] } }),
  },
  "DELETE /v1/api-keys/{key_id}": {
    needs: "keys:write",
    ok: 200,
    missing: "api_key_not_found",
    ask: async () => ({ path: `/v1/api-keys/${await aKey()}` }),
  },

  "GET /v1/agents": { needs: "agents:read", agents: true, ok: 200, ask: () => ({ path: "/v1/agents" }) },
  "POST /v1/agents": {
    needs: "agents:write",
    ok: 201,
    ask: () => ({ path: "/v1/agents", body: { agent_id: fresh("made") } }),
  },
  "GET /v1/agents/{agent_id}": {
    needs: "agents:read",
    agents: true,
    ok: 200,
    missing: "agent_not_found",
    ask: ({ agent }) => ({ path: `/v1/agents/${agent.name}` }),
  },
  "PATCH /v1/agents/{agent_id}": {
    needs: "agents:write",
    ok: 200,
    missing: "agent_not_found",
    ask: async () => ({ path: `/v1/agents/${await anAgent()}`, body: { tags: ["seen"] } }),
  },
  "DELETE /v1/agents/{agent_id}": {
    needs: "agents:write",
    ok: 200,
    missing: "agent_not_found",
    ask: async () => ({ path: `/v1/agents/${await anAgent()}` }),
  },
  "POST /v1/agents/{agent_id}/drain": {
    needs: "agents:write",
    ok: 200,
    missing: "agent_not_found",
    ask: async () => ({ path: `/v1/agents/${await anAgent()}/drain` }),
  },

  "POST /v1/certificates": {
    needs: "certificates:write",
    // It was registered at the first time.
    ok: 200,
    missing: "certificate_taken",
    ask: ({ certificate }) => ({ path: "/v1/certificates", body: { agent_id: "certified", certificate } }),
  },
  "DELETE /v1/certificates/{fingerprint}": {
    needs: "certificates:write",
    ok: 200,
    missing: "certificate_not_found",
    ask: async () => ({ path: `/v1/certificates/${(await newAgent(fresh("certified"), home)).fingerprint}` }),
  },

  "POST /v1/agents/{agent_id}/certificates": {
    needs: "certificates:write",
    agents: true,
    ok: 201,
    missing: "agent_not_found",
    ask: async ({ agent }) => {
      // Of one agent there are at most so many; only the newest is needed.
      await db.update(certificates).set({ status: "revoked" }).where(isNotNull(certificates.issuer));
      return { path: `/v1/agents/${agent.name}/certificates`, body: { csr: (await newRequest()).csr } };
    },
  },
  "GET /v1/agents/{agent_id}/certificates": {
    needs: "certificates:read",
    agents: true,
    ok: 200,
    missing: "agent_not_found",
    ask: ({ agent }) => ({ path: `/v1/agents/${agent.name}/certificates` }),
  },
  "POST /v1/agents/{agent_id}/enrolment-tokens": {
    needs: "certificates:write",
    ok: 201,
    missing: "agent_not_found",
    ask: async () => ({ path: `/v1/agents/${await anAgent()}/enrolment-tokens`, body: {} }),
  },

  "GET /v1/sessions": { needs: "sessions:read", agents: true, ok: 200, ask: () => ({ path: "/v1/sessions" }) },
  "GET /v1/sessions/{session_id}": {
    needs: "sessions:read",
    agents: true,
    ok: 200,
    missing: "session_unknown",
    ask: ({ live }) => ({ path: `/v1/sessions/${live}` }),
  },
  "GET /v1/sessions/{session_id} with Upgrade": {
    needs: "certificate",
    ok: 101,
    missing: "session_unknown",
    upgrade: true,
    ask: ({ live }) => ({ path: `/v1/sessions/${live}` }),
  },
  "GET /v1/sessions/{session_id}/timeline": {
    needs: "sessions:read",
    agents: true,
    ok: 200,
    missing: "session_unknown",
    ask: ({ live }) => ({ path: `/v1/sessions/${live}/timeline?payloads=true` }),
  },
  "GET /v1/sessions/{session_id}/dead-letters": {
    needs: "sessions:read",
    agents: true,
    ok: 200,
    missing: "session_unknown",
    ask: ({ ended }) => ({ path: `/v1/sessions/${ended}/dead-letters` }),
  },
  "POST /v1/sessions/{session_id}/dead-letters/redrive": {
    needs: "sessions:write",
    agents: true,
    ok: 200,
    missing: "session_unknown",
    ask: ({ ended, live }) => ({ path: `/v1/sessions/${ended}/dead-letters/redrive`, body: { session_id: live } }),
  },
  "POST /v1/sessions/{session_id}/close": {
    needs: "sessions:write",
    ok: 200,
    missing: "session_unknown",
    ask: ({ ended }) => ({ path: `/v1/sessions/${ended}/close` }),
  },

  "GET /v1/capabilities": {
    needs: "capabilities:read",
    agents: true,
    ok: 200,
    ask: () => ({ path: "/v1/capabilities" }),
  },
  "GET /v1/policy": { needs: "policy:read", ok: 200, ask: () => ({ path: "/v1/policy" }) },
  "GET /v1/policy/decision": {
    needs: "policy:read",
    ok: 200,
    missing: "agent_not_found",
    ask: ({ agent }) => ({ path: `/v1/policy/decision?agent=${agent.name}&capability=count` }),
  },
  "PUT /v1/policy": { needs: "policy:write", ok: 200, ask: () => ({ path: "/v1/policy", body: { rules: [] } }) },
  "GET /v1/audit-log": { needs: "audit:read", ok: 200, ask: () => ({ path: "/v1/audit-log" }) },

  "GET /v1/members": { needs: "members:read", ok: 200, ask: () => ({ path: "/v1/members" }) },
  "PATCH /v1/members/{person_id}": {
    needs: "members:write",
    gives: "viewer",
    ok: 200,
    missing: "member_not_found",
    ask: async () => ({ path: `/v1/members/${await aMember()}`, body: { role: "viewer" } }),
  },
  "DELETE /v1/members/{person_id}": {
    needs: "members:write",
    ok: 200,
    missing: "member_not_found",
    ask: async () => ({ path: `/v1/members/${await aMember()}` }),
  },
  "GET /v1/invitations": { needs: "members:read", ok: 200, ask: () => ({ path: "/v1/invitations" }) },
  "POST /v1/invitations": {
    needs: "members:write",
    gives: "viewer",
    ok: 201,
    ask: () => ({ path: "/v1/invitations", body: { email: freshEmail(), role: "viewer" } }),
  },
  "DELETE /v1/invitations/{invitation_id}": {
    needs: "members:write",
    ok: 200,
    missing: "invitation_not_found",
    ask: async () => ({ path: `/v1/invitations/${(await anInvitation()).invitation_id}` }),
  },

  "GET /v1/person": { needs: "person", ok: 200, ask: () => ({ path: "/v1/person" }) },
  "PATCH /v1/person": {
    needs: "person",
    ok: 200,
    missing: "account_not_found",
    ask: () => ({ path: "/v1/person", body: { account: home } }),
  },
  "POST /v1/auth/sign-up": {
    needs: "open",
    ownPages: true,
    ok: 201,
    ask: () => ({ path: "/v1/auth/sign-up", body: { name: "somebody", email: freshEmail(), password } }),
  },
  "POST /v1/auth/sign-in": {
    needs: "open",
    ownPages: true,
    ok: 200,
    ask: async () => ({ path: "/v1/auth/sign-in", body: { email: (await aPerson()).email, password } }),
  },
  "GET /v1/auth/invitation": {
    needs: "open",
    ok: 200,
    ask: async () => ({ path: (await anInvitation()).link.slice(origin.length) }),
  },
  "GET /v1/auth/link": {
    needs: "open",
    ok: 302,
    ask: async () => {
      const email = `${await aMember()}@people.example`;
      const { link } = await (await administer("POST", "/v1/sign-in-links", { email })).json<{ link: string }>();
      return { path: link.slice(origin.length) };
    },
  },
  "POST /v1/sign-in-links": {
    needs: "sign-in-links:write",
    ok: 201,
    ask: async () => ({ path: "/v1/sign-in-links", body: { email: `${await aMember()}@people.example` } }),
  },

  // From here on a person asks about another account than before, …
  "POST /v1/accounts": {
    needs: "accounts:write",
    people: true,
    ok: 201,
    ask: (_, { cookie }) => ({ path: "/v1/accounts", body: cookie === undefined ? { account: fresh("account") } : {} }),
  },
  "POST /v1/invitations/accept": {
    needs: "person",
    ok: 200,
    ask: async (_, { email = freshEmail() }) => {
      const account = fresh("inviting");
      await db.insert(accounts).values({ id: account, name: account, createdAt: 1 });
      return { path: "/v1/invitations/accept", body: { token: (await anInvitation(account, email)).token } };
    },
  },
  "POST /v1/person/password": {
    needs: "person",
    ok: 200,
    ask: () => ({ path: "/v1/person/password", body: { current_password: password, new_password: password } }),
  },
  // … this uses up the token of the one who may, …
  "POST /v1/enrolments": {
    needs: "enrolment",
    ok: 201,
    ask: async () => ({ path: "/v1/enrolments", body: { csr: (await newRequest()).csr } }),
  },
  // … and this the cookies.
  "POST /v1/auth/sign-out": {
    needs: "open",
    ownPages: true,
    ok: 200,
    ask: () => ({ path: "/v1/auth/sign-out", body: { everywhere: true } }),
  },
};
