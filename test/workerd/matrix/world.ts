// The world of the authorization matrix: an account with two agents, a live session and an ended one; another account; and
// everybody who may come and ask, good and bad.
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import type { ErrorReason } from "../../../protocol/wire/errors.ts";
import { members, signIns } from "../../../schema/people-tables.ts";
import { everyPermission, type Permission, type Role, roles, type Scope, scopes } from "../../../schema/permissions.ts";
import { revokeCertificate, setAgentStatus } from "../../../schema/registry.ts";
import { accounts, apiKeys, enrolmentTokens } from "../../../schema/tables.ts";
import { type Agent, plain } from "../objects/agents.ts";
import { Duo } from "../objects/duo.ts";
import { newMember } from "../people/browser.ts";
import {
  administer,
  author,
  certificateTime,
  db,
  freshFingerprint,
  goodCertificate,
  hour,
  newAgent,
  tlsOf,
} from "../worker/fixtures.ts";

export const home = "local";
export const away = "away";

/** What is asked about. */
export interface World {
  agent: Agent;
  live: string;
  ended: string;
  /** PEM, registered for an agent of home's. */
  certificate: string;
}

/** Somebody who asks. */
export interface Caller {
  name: string;
  authorization?: string;
  /** `request.cf.tlsClientAuth`. */
  tls?: unknown;
  /** The cookie of a person that is signed in, and what else is known of that one. */
  cookie?: string;
  email?: string;
  /** The page that the browser asks from; left out: one of ours. */
  page?: string;
  /** Signed in, and refused for that reason wherever an account is asked about. */
  unplaced?: ErrorReason;
  /** Refused everywhere, for that reason. */
  never?: ErrorReason;
  /** Where it comes by certificate, so it is in upgrades; nobody else may at all there. */
  agent?: true;
  has: ReadonlySet<Permission>;
  away?: true;
  /** Has a token that was not used. */
  enrols?: true;
}

const nothing: ReadonlySet<Permission> = new Set();

async function keyOf(own: readonly Scope[], account = home): Promise<{ key: string; id: string }> {
  const response = await administer("POST", `/v1/api-keys?account=${account}`, { name: "caller", scopes: own });
  return response.json();
}

export async function makeWorld(): Promise<World> {
  const duo = await Duo.open(plain);
  const other = new Duo(duo.a, duo.b);
  await other.begin();
  await duo.a.tell(duo.message(1, "a secret of home"), other.message(1, "undelivered"));
  await administer("POST", `/v1/sessions/${other.session_id}/close`);
  await administer("POST", "/v1/certificates", { agent_id: "certified", certificate: goodCertificate.pem });
  return { agent: duo.a, live: duo.session_id, ended: other.session_id, certificate: goodCertificate.pem };
}

export async function makeCallers({ agent }: World): Promise<Caller[]> {
  const bearer = (key: string) => `Bearer ${key}`;
  const withKey = async (name: string, own: readonly Scope[], more: Partial<Caller> = {}, account = home) => {
    const { key } = await keyOf(own, account);
    return { name, authorization: bearer(key), has: new Set<Permission>(own), ...more };
  };

  const byScope = scopes.map((scope) => withKey(`key ${scope}`, [scope]));
  const byRole = (Object.keys(roles) as Role[]).map((role) => withKey(`key of a ${role}`, roles[role]));

  await newAgent("stranger", away);
  await newAgent("keeper", "suspended");
  const revoked = await keyOf(scopes);
  await administer("DELETE", `/v1/api-keys/${revoked.id}`);
  const expired = await keyOf(scopes);
  await db.update(apiKeys).set({ expiresAt: 1 }).where(eq(apiKeys.id, expired.id));
  const suspended = await keyOf(scopes, "suspended");
  const kept = await newMember("owner", "suspended");
  await db.update(accounts).set({ status: "suspended" }).where(eq(accounts.id, "suspended"));

  const agentOf = async (name: string, account = home) => (await newAgent(name, account)).fingerprint;
  const dead = await agentOf("dead");
  await revokeCertificate(db, home, dead, author());
  const idle = await agentOf("idle");
  await setAgentStatus(db, home, "idle", "suspended", author());

  const newToken = async (name: string): Promise<string> => {
    await administer("POST", "/v1/agents", { agent_id: name });
    const made = await administer("POST", `/v1/agents/${name}/enrolment-tokens`, {});
    return ((await made.json()) as { token: string }).token;
  };
  const [used, overdue] = [await newToken("enrolled"), await newToken("late")];
  await db.update(enrolmentTokens).set({ usedAt: Date.now() }).where(eq(enrolmentTokens.agentId, "enrolled"));
  await db.update(enrolmentTokens).set({ expiresAt: 1 }).where(eq(enrolmentTokens.agentId, "late"));

  const member = async (name: string, role: Role, more: Partial<Caller> = {}, account = home) => {
    const { cookie = "", email, id } = await newMember(role, account);
    return { id, caller: { name, cookie, email, has: new Set<Permission>(roles[role]), ...more } };
  };
  const removed = await member("removed member", "owner", { unplaced: "account_required", has: nothing, away: true });
  await db.delete(members).where(eq(members.personId, removed.id));
  const ended = await member("expired sign-in", "owner", { never: "sign_in_ended" });
  await db
    .update(signIns)
    .set({ expiresAt: new Date(1) })
    .where(eq(signIns.personId, ended.id));
  const left = await member("sign-in that was ended", "owner", { never: "sign_in_ended" });
  await db.delete(signIns).where(eq(signIns.personId, left.id));

  const refused = (name: string, never: ErrorReason, more: Partial<Caller>): Caller => ({
    name,
    never,
    has: nothing,
    ...more,
  });
  const badKey = (name: string, never: ErrorReason, authorization: string) => refused(name, never, { authorization });
  const badAgent = (name: string, never: ErrorReason, tls: unknown) => refused(name, never, { tls, agent: true });
  const guess = `${revoked.key.slice(0, -43)}${"A".repeat(43)}`;

  return [
    { name: "nobody", has: nothing },
    ...(await Promise.all([...byScope, ...byRole])),
    await withKey("key of an owner elsewhere", scopes, { away: true }, away),
    ...(await Promise.all(
      (Object.keys(roles) as Role[]).map(async (role) => (await member(`member, ${role}`, role)).caller),
    )),
    (await member("owner elsewhere", "owner", { away: true }, away)).caller,
    (await member("owner, by a page of others", "owner", { page: "https://evil.example" })).caller,
    removed.caller,
    {
      name: "owner of a suspended account",
      cookie: kept.cookie ?? "",
      email: kept.email,
      unplaced: "account_suspended",
      has: nothing,
      away: true,
    },
    ended.caller,
    left.caller,
    { ...left.caller, name: "forged sign-in", cookie: `${"a".repeat(32)}.${"A".repeat(43)}%3D` },
    { name: "operator", authorization: bearer(env.ADMIN_TOKEN), has: everyPermission },
    { name: "agent", tls: agent.tls, agent: true, has: nothing },
    { name: "agent elsewhere", tls: tlsOf(await agentOf("foreign", away)), agent: true, away: true, has: nothing },
    { name: "enrolment token", authorization: bearer(await newToken("machine")), enrols: true, has: nothing },
    badKey("expired enrolment token", "enrolment_token_invalid", bearer(overdue)),
    badKey("used enrolment token", "enrolment_token_invalid", bearer(used)),
    badKey("guessed enrolment token", "enrolment_token_invalid", bearer(`${used.slice(0, -43)}${"A".repeat(43)}`)),
    badKey("revoked key", "api_key_revoked", bearer(revoked.key)),
    badKey("expired key", "api_key_expired", bearer(expired.key)),
    badKey("key of a suspended account", "account_suspended", bearer(suspended.key)),
    badKey("guessed key", "credentials_invalid", bearer(guess)),
    badKey("other scheme", "credentials_invalid", "Basic b3duZXI6c2VjcmV0"),
    badAgent("revoked certificate", "certificate_revoked", tlsOf(dead)),
    badAgent("certificate revoked at Cloudflare", "certificate_revoked", { ...agent.tls, certRevoked: "1" }),
    badAgent("suspended agent", "agent_suspended", tlsOf(idle)),
    badAgent("expired certificate", "certificate_expired", {
      ...agent.tls,
      certNotAfter: certificateTime(Date.now() - hour),
    }),
    badAgent("certificate of another CA", "certificate_untrusted", {
      ...agent.tls,
      certVerified: "FAILED:self signed certificate",
    }),
    badAgent("unregistered certificate", "certificate_unknown", tlsOf(freshFingerprint())),
  ];
}
