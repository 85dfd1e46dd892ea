// POST and DELETE /v1/certificates, and what guards them.
import { env, exports } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { accounts, agents, certificates } from "../../../schema/tables.ts";
import { createApp } from "../../../worker/app.ts";
import {
  administer,
  ask,
  db,
  expiredPem,
  goodCertificate,
  newAgent,
  origin,
  tlsOf,
  upgradeHeaders,
} from "./fixtures.ts";
import { expectProblem } from "./problem.ts";

const { fingerprint, serial, pem } = goodCertificate;
const register = (body: unknown, account = "local") => administer("POST", `/v1/certificates?account=${account}`, body);
const revoke = (which: string, token?: string) => administer("DELETE", `/v1/certificates/${which}`, undefined, token);

describe("POST /v1/certificates", () => {
  it("makes no account but the local one", async () => {
    const body = { agent_id: "planner", certificate: pem };
    for (const account of ["unknown", "Not A Name", "a/b"]) {
      await expectProblem(await register(body, account), "account_not_found");
    }
    expect(await db.select().from(accounts)).toEqual([]);
  });

  it("registers the certificate, its agent and the local account, and can be repeated", async () => {
    await expectProblem(await ask("/v1/agents", tlsOf(fingerprint)), "certificate_unknown");
    const first = await register({ agent_id: "planner", certificate: pem });
    expect(first.status).toBe(201);
    const body = await first.json();
    expect(body).toEqual({
      account: "local",
      agent_id: "planner",
      fingerprint,
      serial,
      subject: "O=agentworks test\nCN=planner",
      not_before: expect.stringMatching(/^2026-11-22T/),
      not_after: expect.stringMatching(/^2126-10-29T/),
    });
    expect((await ask("/v1/agents", tlsOf(fingerprint))).status).toBe(200);

    const second = await register({ agent_id: "planner", certificate: `\n${pem}\n` });
    expect(second.status).toBe(200);
    expect(await second.json()).toEqual(body);
  });

  it("refuses a certificate that is another agent's, and makes no agent", async () => {
    await expectProblem(await register({ agent_id: "thief", certificate: pem }), "certificate_taken");
    expect(await db.select().from(agents).where(eq(agents.id, "thief"))).toEqual([]);
  });

  it.each([
    ["an expired certificate", expiredPem],
    ["no PEM", "not a certificate"],
    ["nothing", ""],
    ["a broken one", pem.replace("MIIB", "AIIB")],
    ["two of them", `${pem}\n${expiredPem}`],
    ["one with a key beside it", `${pem}\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----`],
    ["a text that is too long", pem + " ".repeat(20_000)],
  ])("refuses %s", async (_, certificate) => {
    const problem = await expectProblem(await register({ agent_id: "planner", certificate }), "invalid_request");
    expect(problem.issues).toEqual([{ path: "certificate", message: expect.any(String) }]);
  });

  it.each([
    ["no agent", { certificate: pem }, "agent_id"],
    ["a bad name", { certificate: pem, agent_id: "Not A Name" }, "agent_id"],
    ["an unknown member", { certificate: pem, agent_id: "planner", agent: "planner" }, ""],
  ])("refuses %s, and says where", async (_, body, path) => {
    const problem = await expectProblem(await register(body), "invalid_request");
    expect(problem.issues?.map((issue) => issue.path)).toEqual([path]);
  });

  it("refuses a body that is not JSON, and one that does not say so", async () => {
    const post = (body: string, type: string) => {
      const headers = { Authorization: `Bearer ${env.ADMIN_TOKEN}`, "Content-Type": type };
      return exports.default.fetch(new Request(`${origin}/v1/certificates`, { method: "POST", headers, body }));
    };
    await expectProblem(await post("{", "application/json"), "invalid_request");
    await expectProblem(await post("", "application/json"), "invalid_request");
    await expectProblem(await post("agent_id=planner", "text/plain"), "invalid_request");
  });
});

describe("DELETE /v1/certificates/{fingerprint}", () => {
  it("revokes for ever, and closes the live socket (4403)", async () => {
    const one = await newAgent("revocable");
    const connect = () => ask("/v1/connect", tlsOf(one.fingerprint), { headers: upgradeHeaders });
    const socket = (await connect()).webSocket;
    const closed = new Promise<CloseEvent>((resolve) => socket?.addEventListener("close", resolve));
    socket?.accept();

    const response = await revoke(one.fingerprint);
    expect(response.status).toBe(200);
    const names = { account: "local", agent_id: "revocable", fingerprint: one.fingerprint };
    expect(await response.json()).toEqual({ ...names, status: "revoked", closed: 1, renewals: [] });
    expect((await closed).code).toBe(4403);
    await expectProblem(await connect(), "certificate_revoked");

    const [row] = await db.select().from(certificates).where(eq(certificates.fingerprint, one.fingerprint));
    const again = await revoke(one.fingerprint);
    expect(await again.json()).toMatchObject({ status: "revoked", closed: 0 });
    const [same] = await db.select().from(certificates).where(eq(certificates.fingerprint, one.fingerprint));
    expect(same?.revokedAt).toBe(row?.revokedAt);
  });

  it("leaves a revoked certificate revoked when it is registered again", async () => {
    await revoke(fingerprint);
    await expectProblem(await register({ agent_id: "planner", certificate: pem }), "certificate_revoked");
    await expectProblem(await ask("/v1/agents", tlsOf(fingerprint)), "certificate_revoked");
  });

  it("does not know a fingerprint that is not there", async () => {
    await expectProblem(await revoke("0".repeat(64)), "certificate_not_found");
    await expectProblem(await revoke("not-a-fingerprint"), "invalid_request");
  });
});

describe("the administrator", () => {
  const headersOf = (authorization: string) => ({ "Content-Type": "application/json", Authorization: authorization });
  const routes: [string, string][] = [
    ["POST", "/v1/certificates"],
    ["DELETE", `/v1/certificates/${fingerprint}`],
    ["PATCH", "/v1/agents/planner"],
  ];

  it("must prove it, before the request is even read; a good client certificate makes nothing good", async () => {
    const { fingerprint: own } = await newAgent("no-administrator");
    for (const [method, path] of routes) {
      const silent = await ask(path, tlsOf(own), { method, ...(method === "DELETE" ? {} : { body: "{" }) });
      await expectProblem(silent, "permission_denied");
      for (const sent of ["Bearer", "Bearer ", "Bearer wrong", `Basic ${env.ADMIN_TOKEN}`, env.ADMIN_TOKEN]) {
        const init = { method, headers: headersOf(sent), ...(method === "DELETE" ? {} : { body: "{" }) };
        const response = await ask(path, tlsOf(own), init);
        await expectProblem(response, "credentials_invalid");
        expect(response.headers.get("WWW-Authenticate")).toMatch(/^Bearer/);
      }
    }
  });

  it.each([undefined, ""])("is nobody where the token is %j", async (ADMIN_TOKEN) => {
    const { ADMIN_TOKEN: _, ...bindings } = env;
    for (const [method, path] of routes) {
      for (const sent of ["Bearer", "Bearer ", "Bearer undefined", `Bearer ${env.ADMIN_TOKEN}`]) {
        const request = new Request(`${origin}${path}`, { method, headers: headersOf(sent) });
        const configured = ADMIN_TOKEN === undefined ? bindings : { ...bindings, ADMIN_TOKEN };
        await expectProblem(await createApp().fetch(request, configured), "credentials_invalid");
      }
    }
  });
});

describe("any other request", () => {
  it.each([
    ["GET", "/"],
    ["GET", "/v1"],
    ["GET", "/v1/certificates"],
    ["POST", "/health"],
    ["GET", "/v1/connect/"],
    ["PUT", "/v1/agents/planner"],
  ])("%s %s is no route", async (method, path) => {
    await expectProblem(await exports.default.fetch(new Request(`${origin}${path}`, { method })), "route_unknown");
  });
});
