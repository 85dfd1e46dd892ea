// Who may pass: every refusal of an identity through the whole Worker, on plain requests and on upgrades alike.
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { ErrorReason } from "../../../protocol/wire/errors.ts";
import { revokeCertificate, setAgentStatus } from "../../../schema/registry.ts";
import { accounts } from "../../../schema/tables.ts";
import { createApp } from "../../../worker/app.ts";
import type { Env } from "../../../worker/env.ts";
import {
  ask,
  author,
  certificateTime,
  db,
  freshFingerprint,
  hour,
  newAgent,
  requestOf,
  tlsOf,
  upgradeHeaders,
} from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const session = "0190b3c4-1234-7abc-8def-0123456789ab";
const guarded = ["/v1/agents", "/v1/connect", `/v1/sessions/${session}`];
const app = createApp();
/** The Worker's answer under another configuration. */
const askWith = (more: Pick<Env, "EDGE_SECRET">, request: Request) =>
  app.fetch(request, { ...env, ...more }, createExecutionContext());

let good: string;
beforeAll(async () => {
  good = (await newAgent("good")).fingerprint;
});
afterEach(() => vi.restoreAllMocks());

/** Where an API key would do as well, it is not a certificate that is missing. */
const expected = (path: string, headers: object, reason: ErrorReason): ErrorReason =>
  reason === "certificate_required" && !("Upgrade" in headers && path !== "/v1/agents") && path !== "/v1/connect"
    ? "credentials_required"
    : reason;

async function expectRefusal(tls: unknown, reason: ErrorReason) {
  for (const path of guarded) {
    for (const headers of [{}, upgradeHeaders]) {
      await expectProblem(await ask(path, tls, { headers }), expected(path, headers, reason));
    }
  }
}

describe("an identity is refused", () => {
  it("without a certificate", async () => {
    const none = { certPresented: "0", certVerified: "NONE", certRevoked: "0" };
    await expectRefusal(none, "certificate_required");
    await expectRefusal(undefined, "certificate_required");
  });

  it("with another CA's certificate, whatever its fingerprint", () =>
    expectRefusal(tlsOf(good, { certVerified: "FAILED:self signed certificate" }), "certificate_untrusted"));

  it("with an expired certificate", () =>
    expectRefusal(tlsOf(good, { certNotAfter: certificateTime(Date.now() - hour) }), "certificate_expired"));

  it("with a certificate of tomorrow", () =>
    expectRefusal(tlsOf(good, { certNotBefore: certificateTime(Date.now() + hour) }), "certificate_not_yet_valid"));

  it("with a certificate that Cloudflare knows to be revoked", () =>
    expectRefusal(tlsOf(good, { certRevoked: "1" }), "certificate_revoked"));

  it("with a certificate that was revoked in our registry", async () => {
    const { fingerprint } = await newAgent("revoked");
    await revokeCertificate(db, "local", fingerprint, author());
    await expectRefusal(tlsOf(fingerprint), "certificate_revoked");
  });

  it("with the right CA's certificate of nobody", () =>
    expectRefusal(tlsOf(freshFingerprint()), "certificate_unknown"));

  it("with the certificate of a suspended agent", async () => {
    const { fingerprint } = await newAgent("suspended");
    await setAgentStatus(db, "local", "suspended", "suspended", author());
    await expectRefusal(tlsOf(fingerprint), "agent_suspended");
  });

  it("with the certificate of a suspended account's agent", async () => {
    const { fingerprint } = await newAgent("worker", "suspended-account");
    await db.update(accounts).set({ status: "suspended" }).where(eq(accounts.id, "suspended-account"));
    await expectRefusal(tlsOf(fingerprint), "agent_suspended");
  });

  it("before anything is said about the route's own rules", async () => {
    const none = { certPresented: "0" };
    await expectProblem(
      await ask("/v1/sessions/not-a-uuid", none, { headers: upgradeHeaders }),
      "certificate_required",
    );
    await expectProblem(await ask("/v1/agents?limit=nonsense", none), "credentials_required");
  });

  it("by headers that pretend to be ours or the edge's", async () => {
    const identity = { account: "local", agent: "good", fingerprint: good, expiresAt: Date.now() + hour };
    const forged = {
      "X-Agentworks-Identity": JSON.stringify(identity),
      "X-Agentworks-Account": "local",
      "MF-CF-Blob": JSON.stringify({ tlsClientAuth: tlsOf(good) }),
      "Cf-Client-Cert-Sha256": good,
    };
    for (const path of guarded) {
      const response = await ask(path, { certPresented: "0" }, { headers: { ...upgradeHeaders, ...forged } });
      await expectProblem(response, expected(path, upgradeHeaders, "certificate_required"));
    }
  });
});

it("is one D1 query for a good certificate, and none for a bad one", async () => {
  const prepare = vi.spyOn(env.DB, "prepare");
  // An object that knows no such session asks D1 nothing.
  const connect = (tls: unknown) => ask(`/v1/sessions/${session}`, tls, { headers: upgradeHeaders });
  await expectProblem(await connect(tlsOf(good)), "session_unknown");
  expect(prepare).toHaveBeenCalledTimes(1);
  await expectProblem(await connect(tlsOf(good, { certVerified: "NONE" })), "certificate_untrusted");
  expect(prepare).toHaveBeenCalledTimes(1);
});

describe("the hop from the edge", () => {
  const EDGE_SECRET = "edge-secret-of-this-start";
  const from = (path: string, proof: string | undefined, secret = EDGE_SECRET) => {
    const headers: Record<string, string> = proof === undefined ? {} : { "X-Agentworks-Edge": proof };
    return askWith({ EDGE_SECRET: secret }, requestOf(path, tlsOf(good), { headers }));
  };

  it("must be proven by every request, also where no identity is needed", async () => {
    for (const path of ["/health", "/v1/openapi.json", "/v1/agents", "/v1/connect", "/nowhere"]) {
      for (const proof of [undefined, "", "wrong", `${EDGE_SECRET}x`, EDGE_SECRET.slice(1)]) {
        await expectProblem(await from(path, proof), "edge_required");
      }
    }
  });

  it("passes with the secret", async () => {
    expect((await from("/health", EDGE_SECRET)).status).toBe(200);
    expect((await from("/v1/agents", EDGE_SECRET)).status).toBe(200);
  });

  it("cannot be proven to an empty secret", async () => {
    await expectProblem(await from("/health", "", ""), "edge_required");
    await expectProblem(await from("/health", undefined, ""), "edge_required");
  });
});
