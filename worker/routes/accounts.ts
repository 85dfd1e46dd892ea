// Accounts: one looks at its own and renames it; people make theirs; the operator makes any, and suspends them.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import type { z } from "zod";
import { closeCodes } from "../../protocol/wire/errors.ts";
import { Account, ChangeAccount, CreateAccount } from "../../schema/http-accounts.ts";
import {
  type AccountListing,
  changeAccount,
  connectedAgents,
  createAccount,
  createOwnAccount,
  findAccount,
} from "../../schema/registry.ts";
import type { App, Env } from "../env.ts";
import { etagOf, wantedRevision } from "../etag.ts";
import { mintId } from "../identity/bearer.ts";
import { authorOf } from "../identity/middleware.ts";
import { agentObject } from "../objects.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time } from "./times.ts";

const show = guardedRoute({
  method: "get",
  path: "/v1/account",
  description: "The account that is asked about.",
  access: { permission: "account:read" },
  tagged: true,
  responses: { 200: json(Account, "the account") },
});

const change = guardedRoute({
  method: "patch",
  path: "/v1/account",
  description:
    "Changes the account. Suspending it closes every live socket of its agents (4403), and refuses its keys.",
  access: { permission: "account:write" },
  request: { body: body(ChangeAccount) },
  tagged: true,
  responses: { 200: json(Account, "the account as it is now") },
});

const create = guardedRoute({
  method: "post",
  path: "/v1/accounts",
  description:
    "Makes an account. Whoever is signed in is its owner, and asks about it from now on; names are the operator's to choose, since choosing one tells whether it is taken.",
  access: { permission: "accounts:write", people: true },
  request: { body: body(CreateAccount) },
  tagged: true,
  refuses: ["account_exists", "too_many_accounts"],
  responses: { 201: json(Account, "the account") },
});

const shown = ({ id, name, status, createdAt }: AccountListing): z.infer<typeof Account> => ({
  account: id,
  name,
  status,
  created_at: time(createdAt),
});

/** So many agents are asked at once. */
const atOnce = 50;

/** Closes the live sockets of every agent that ever connected. Who reconnects meanwhile is refused: the registry knows already. */
async function expelAll(env: Env, account: string): Promise<void> {
  for (let after = ""; ; ) {
    const agents = await connectedAgents(drizzle(env.DB), account, { after, limit: atOnce });
    await Promise.all(
      agents.map(async (agent) => {
        try {
          await agentObject(env, account, agent).disconnect(closeCodes.revoked, "account_suspended");
        } catch (cause) {
          console.warn(JSON.stringify({ event: "disconnect_failed", account, agent, cause: String(cause) }));
        }
      }),
    );
    const last = agents.at(-1);
    if (last === undefined || agents.length < atOnce) return;
    after = last;
  }
}

export function accountRoutes(app: OpenAPIHono<App>): void {
  app.openapi(show, async (c) => {
    const account = await findAccount(drizzle(c.env.DB), c.var.principal.account);
    return account === undefined
      ? problem(c, "account_not_found")
      : c.json(shown(account), 200, etagOf(account.revision));
  });

  app.openapi(change, async (c) => {
    const { account: id, permissions } = c.var.principal;
    const wanted = c.req.valid("json");
    if (wanted.status !== undefined && !permissions.has("accounts:write")) {
      return problem(c, "permission_denied", { permission: "accounts:write" });
    }
    const db = drizzle(c.env.DB);
    const revision = wantedRevision(c);
    const account = await changeAccount(db, id, wanted, revision, authorOf(c));
    if (account === undefined) {
      return problem(c, (await findAccount(db, id)) === undefined ? "account_not_found" : "precondition_failed");
    }
    // First the registry, then the sockets: who reconnects in between is refused.
    if (wanted.status === "suspended") await expelAll(c.env, id);
    return c.json(shown(account), 200, etagOf(account.revision));
  });

  app.openapi(create, async (c) => {
    const { account: chosen, name } = c.req.valid("json");
    const { principal } = c.var;
    const db = drizzle(c.env.DB);
    const id = chosen ?? mintId();
    if (principal.kind === "person") {
      if (chosen !== undefined) return problem(c, "permission_denied", { permission: "accounts:write" });
      const { person, signIn } = principal.signedIn;
      const own = await createOwnAccount(db, { id, name: name ?? id, person, signIn }, authorOf(c));
      return own === undefined ? problem(c, "too_many_accounts") : c.json(shown(own), 201, etagOf(own.revision));
    }
    const account = await createAccount(db, id, name ?? id, authorOf(c));
    return account === undefined ? problem(c, "account_exists") : c.json(shown(account), 201, etagOf(account.revision));
  });
}
