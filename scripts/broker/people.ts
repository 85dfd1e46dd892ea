// The people of an embedded broker: the secret that signs their cookies, and the one person that is there from the start, who owns
// the account `local`, has no password, and signs in by a link.

import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { defaultAccount } from "../../schema/http.ts";
import { errorCode, Failure, messageOf } from "../failure.ts";

/** The ready person. */
export const owner = { id: "embeddedembedded", name: "Owner", email: "owner@agentworks.localhost" };

const secretShape = /^[A-Za-z0-9_-]{43}$/;

/**
 * The secret of the state folder, made once (`auth-secret`, 0600), so that whoever is signed in stays so when the broker restarts.
 * Throws a Failure when it cannot be read or written, or is damaged. The folder is held by this process.
 */
export async function openAuthSecret(dir: string): Promise<string> {
  const file = join(dir, "auth-secret");
  const remove = "Remove it, and start again: everybody must then sign in again.";
  const kept = await readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new Failure(`Cannot read ${file}: ${messageOf(error)}. ${remove}`);
  });
  if (kept !== undefined) {
    if (!secretShape.test(kept)) throw new Failure(`${file} is damaged. ${remove}`);
    return kept;
  }
  const secret = randomBytes(32).toString("base64url");
  await writeFile(file, secret, { mode: 0o600, flag: "wx" }).catch((error: unknown) => {
    throw new Failure(`Cannot write ${file}: ${messageOf(error)}. Name another state folder with --state.`);
  });
  return secret;
}

/** Makes the ready person a member of the account `local`, once: whoever changes that later is left alone. */
export async function addLocalOwner(miniflare: Miniflare): Promise<void> {
  const database = await miniflare.getD1Database("DB");
  const now = Date.now();
  const person = database
    .prepare(
      "INSERT OR IGNORE INTO people (id, name, email, email_verified, created_at, updated_at) VALUES (?, ?, ?, 1, ?, ?)",
    )
    .bind(owner.id, owner.name, owner.email, now, now);
  const member = database
    .prepare(
      "INSERT INTO members (account_id, person_id, role, created_at) SELECT ?, ?, 'owner', ? WHERE NOT EXISTS (SELECT 1 FROM members WHERE account_id = ?1)",
    )
    .bind(defaultAccount, owner.id, now);
  await database.batch([person, member]);
}

/** A link that signs the ready person in, once, within ten minutes. Throws a Failure where that one is no member any more. */
export async function signInLink(apiUrl: string, adminToken: string): Promise<string> {
  const response = await fetch(`${apiUrl}/v1/sign-in-links`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ email: owner.email }),
  });
  const answer = (await response.json()) as { link?: string; detail?: string };
  if (answer.link === undefined) throw new Failure(`No sign-in link for ${owner.email}: ${answer.detail}`);
  return answer.link;
}
