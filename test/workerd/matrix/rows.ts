// The rows of the authorization matrix, by hand: what each operation needs, and a request that succeeds for whoever may. It is
// written beside the code and not derived from it: a route without a row fails, and so does a row that says something else.
import { isNotNull } from "drizzle-orm";
import type { ErrorReason } from "../../../protocol/wire/errors.ts";
import type { Permission } from "../../../schema/permissions.ts";
import { createAgent, createApiKey } from "../../../schema/registry.ts";
import { certificates } from "../../../schema/tables.ts";
import { newRequest } from "../certificates/requests.ts";
import { author, db, newAgent } from "../worker/fixtures.ts";
import { home, type World } from "./world.ts";

export interface Row {
  /** `open`: everybody; `certificate`: an agent, and nobody else; `enrolment`: whoever has such a token; else whoever has that permission. */
  needs: Permission | "open" | "certificate" | "enrolment";
  /** Agents may as well. */
  agents?: true;
  /** What whoever may gets. */
  ok: number;
  /** What an agent of another account, and everybody else there, is told of what is asked for here; left out: it asks for its own. */
  missing?: ErrorReason;
  upgrade?: true;
  /** A request that succeeds; what it destroys is made anew for each. */
  ask(world: World): Promise<Asked> | Asked;
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
  "POST /v1/accounts": {
    needs: "accounts:write",
    ok: 201,
    ask: () => ({ path: "/v1/accounts", body: { account: fresh("account") } }),
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
  // Last: it uses up the token of the one who may.
  "POST /v1/enrolments": {
    needs: "enrolment",
    ok: 201,
    ask: async () => ({ path: "/v1/enrolments", body: { csr: (await newRequest()).csr } }),
  },
};
