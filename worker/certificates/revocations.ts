// Tells the issuer of revocations, until it knows: right after one, and by the clock (wrangler.toml, `crons`) what it could not be told
// then. What it has to be told is in the registry, so that nothing is lost with a request or with a Worker.
import { drizzle } from "drizzle-orm/d1";
import { bounds } from "../../schema/bounds.ts";
import { pendingIssuerRevocations, saveIssuerAnswers } from "../../schema/registry.ts";
import type { Env } from "../env.ts";
import { configuredIssuer } from "./configured-issuer.ts";

/** Tells what is noted, as much as goes at once. Two queries, and none where there is nothing to tell it to. Never rejects. */
export async function tellIssuer(env: Env): Promise<void> {
  const issuer = configuredIssuer(env);
  if (issuer === undefined || issuer.name === "development") return;
  const db = drizzle(env.DB);
  try {
    const pending = await pendingIssuerRevocations(db, issuer.name, bounds.issuerRevocationsAtOnce, Date.now());
    if (pending.length === 0) return;
    const answers = await Promise.all(
      pending.map(async ({ reference }) => ({ reference, told: await issuer.revoke(reference) })),
    );
    const referencesOf = (told: boolean) => answers.filter((one) => one.told === told).map((one) => one.reference);
    const failed = referencesOf(false);
    await saveIssuerAnswers(db, { told: referencesOf(true), failed }, Date.now());
    if (failed.length > 0) console.warn(JSON.stringify({ event: "issuer_not_told", issuer: issuer.name, failed }));
  } catch (cause) {
    console.error(JSON.stringify({ event: "issuer_not_told", issuer: issuer.name, cause: String(cause) }));
  }
}
