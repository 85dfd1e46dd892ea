// better-auth as this broker has it: people who sign in by e-mail and password or by a link, their sign-ins, and the account that
// each sign-in is about. No route of its own can be reached: the Worker's routes call it, so what they do not call does not exist.
// Its organizations are our accounts and its members ours (schema/people-tables.ts). It reads them, to switch accounts; they are
// changed by our own queries, in one batch with the audit row, which it cannot do on D1.
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { betterAuth } from "better-auth/minimal";
import { magicLink } from "better-auth/plugins/magic-link";
import { organization } from "better-auth/plugins/organization";
import { drizzle } from "drizzle-orm/d1";
import { bounds } from "../../schema/bounds.ts";
import { members, passwords, people, signInLinks, signIns } from "../../schema/people-tables.ts";
import { firstAccountOf } from "../../schema/registry.ts";
import { accounts } from "../../schema/tables.ts";
import type { Env } from "../env.ts";
import { mintId } from "./bearer.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

/** `__Host-`: over TLS alone, of this very host, which no other host of the domain can set. */
export const signInCookie = "__Host-agentworks-sign-in";
const secretCharsMin = 32;

/** Whether this broker signs people in. Without a secret that is worth the name it does not: nobody is anybody. */
export const signsPeopleIn = ({ AUTH_SECRET }: Env): boolean => (AUTH_SECRET ?? "").length >= secretCharsMin;

/**
 * @param onLink told the secret of a link that is made; better-auth would have it mailed
 */
export function authOf(env: Env, onLink: (secret: string) => void = () => {}) {
  const { AUTH_SECRET: secret, DB } = env;
  if (secret === undefined || !signsPeopleIn(env)) throw new Error("AUTH_SECRET is not set");
  const db = drizzle(DB);
  const models = {
    user: people,
    session: signIns,
    account: passwords,
    verification: signInLinks,
    organization: accounts,
    member: members,
  };
  return betterAuth({
    secret,
    // What it makes of this is never shown: links are made by the routes, and redirects are theirs.
    baseURL: "https://broker.invalid",
    database: drizzleAdapter(db, { provider: "sqlite", schema: models }),
    logger: { disabled: true },
    telemetry: { enabled: false },
    // The routes count attempts (schema/queries/attempts.ts): by address and by whom they are for.
    rateLimit: { enabled: false },
    advanced: {
      // It would miss what nobody asks of organizations here: slugs, and invitations of its own.
      database: { generateId: mintId, validateSchema: false },
      ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
      useSecureCookies: false, // it would add `__Secure-`; ours is stricter
      cookiePrefix: "__Host-agentworks",
      defaultCookieAttributes: { secure: true, httpOnly: true, sameSite: "lax", path: "/" },
      cookies: { session_token: { name: signInCookie } },
    },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: bounds.passwordCharsMin,
      maxPasswordLength: bounds.passwordCharsMax,
      password: { hash: hashPassword, verify: verifyPassword },
    },
    session: {
      expiresIn: bounds.signInSeconds,
      updateAge: bounds.signInNotedEverySeconds,
      fields: { userId: "personId", ipAddress: "address" },
    },
    account: { fields: { userId: "personId", accountId: "subject", password: "hash" } },
    databaseHooks: {
      session: {
        create: {
          before: async (signIn) => ({
            data: { ...signIn, activeOrganizationId: (await firstAccountOf(db, signIn.userId)) ?? null },
          }),
        },
      },
    },
    plugins: [
      organization({
        allowUserToCreateOrganization: false,
        schema: {
          session: { fields: { activeOrganizationId: "accountId" } },
          member: { fields: { organizationId: "accountId", userId: "personId" } },
        },
      }),
      magicLink({
        disableSignUp: true,
        storeToken: "hashed",
        expiresIn: bounds.signInLinkSeconds,
        generateToken: mintSecret,
        sendMagicLink: ({ token }) => onLink(token),
      }),
    ],
  });
}

/** 256 bits of dice, in hex. */
const mintSecret = (): string =>
  [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export type Auth = ReturnType<typeof authOf>;
