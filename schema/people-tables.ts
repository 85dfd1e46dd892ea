// The tables of people: who they are, how they sign in, and in which accounts they are members. Those that better-auth reads and
// writes by itself (people, sign-ins, passwords, links) have the members that it expects, by our names for them; `members` and
// `accounts` are what it calls members and organizations: there are no second ones. Changes of members are our own queries.
// A "sign-in" is what better-auth calls a session, which here is a conversation of agents.
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Role } from "./permissions.ts";
import { accounts } from "./tables.ts";

const times = {
  createdAt: integer("created_at", { mode: "timestamp_ms" }).notNull(),
  updatedAt: integer("updated_at", { mode: "timestamp_ms" }).notNull(),
};

export const people = sqliteTable(
  "people",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull(),
    /** In lower case. Nobody proved that it is theirs: the broker sends no mail. */
    email: text("email").notNull(),
    /** Set by the operator's sign-in link, and of nobody else. */
    emailVerified: integer("email_verified", { mode: "boolean" }).notNull().default(false),
    ...times,
  },
  (t) => [uniqueIndex("people_by_email").on(t.email)],
);

const personId = () =>
  text("person_id")
    .notNull()
    .references(() => people.id);

export const signIns = sqliteTable(
  "sign_ins",
  {
    id: text("id").primaryKey(),
    personId: personId(),
    /** Half of the cookie; the other half is its signature by `AUTH_SECRET`, without which it opens nothing. */
    token: text("token").notNull(),
    expiresAt: integer("expires_at", { mode: "timestamp_ms" }).notNull(),
    /** The account that is asked about where a request names none. */
    accountId: text("account_id"),
    address: text("address"),
    userAgent: text("user_agent"),
    ...times,
  },
  (t) => [uniqueIndex("sign_ins_by_token").on(t.token), index("sign_ins_by_person").on(t.personId)],
);

export const passwords = sqliteTable(
  "passwords",
  {
    id: text("id").primaryKey(),
    personId: personId(),
    /** `credential`: better-auth keeps other ways to sign in in the same table. */
    providerId: text("provider_id").notNull(),
    /** Who the person is to that provider: of a password, the person's own id. */
    subject: text("subject").notNull(),
    /** `scrypt$…`; worker/identity/passwords.ts has its form. */
    hash: text("hash"),
    ...times,
  },
  (t) => [index("passwords_by_person").on(t.personId)],
);

/** Links that sign somebody in once. `identifier` has the SHA-256 of the secret. */
export const signInLinks = sqliteTable(
  "sign_in_links",
  {
    id: text("id").primaryKey(),
    identifier: text("identifier").notNull(),
    value: text("value").notNull(),
    expiresAt: integer("expires_at", { mode: "timestamp_ms" }).notNull(),
    ...times,
  },
  (t) => [index("sign_in_links_by_identifier").on(t.identifier)],
);

export const members = sqliteTable(
  "members",
  {
    accountId: text("account_id")
      .notNull()
      .references(() => accounts.id),
    personId: personId(),
    role: text("role").$type<Role>().notNull(),
    /** Epoch milliseconds. */
    createdAt: integer("created_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.personId] }), index("members_by_person").on(t.personId)],
);

/** Offers of a membership, taken up by a link that works once. Only the hash of its secret is kept. */
export const invitations = sqliteTable(
  "invitations",
  {
    id: text("id").primaryKey(),
    accountId: text("account_id")
      .notNull()
      .references(() => accounts.id),
    /** In lower case: whom it is for. */
    email: text("email").notNull(),
    role: text("role").$type<Role>().notNull(),
    /** SHA-256 of the secret, 64 lower-case hex digits. */
    secretHash: text("secret_hash").notNull(),
    invitedBy: text("invited_by").notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
  },
  (t) => [index("invitations_by_account").on(t.accountId, t.createdAt, t.id)],
);

/** How often somebody tried to prove who they are, within one window of time. */
export const signInAttempts = sqliteTable(
  "sign_in_attempts",
  {
    /** SHA-256 of what is counted by: an address, or an e-mail address. */
    key: text("key").primaryKey(),
    count: integer("count").notNull(),
    /** Epoch milliseconds of the window's first. */
    since: integer("since").notNull(),
  },
  (t) => [index("sign_in_attempts_by_time").on(t.since)],
);
