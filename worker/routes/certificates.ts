// Certificates, for the administrator: register the one of an agent, revoke one and close what it opened.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { closeCodes, type ErrorReason } from "../../protocol/wire/errors.ts";
import {
  defaultAccount,
  Fingerprint,
  RegisterCertificate,
  RegisteredCertificate,
  RevokedCertificate,
} from "../../schema/http.ts";
import { type Registration, registerCertificate, revokeCertificate } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { administrative } from "../identity/middleware.ts";
import { readCertificate } from "../identity/pem.ts";
import { agentObject } from "../objects.ts";
import { type Issue, problem } from "../problem.ts";
import { json, problems } from "./responses.ts";

const register = createRoute({
  method: "post",
  path: "/v1/certificates",
  description: "Registers the certificate of an agent, and the agent if it is new. Safe to repeat.",
  security: [{ adminToken: [] }],
  middleware: [administrative] as const,
  request: { body: { required: true, content: { "application/json": { schema: RegisterCertificate } } } },
  responses: {
    200: json(RegisteredCertificate, "it was registered for this agent before"),
    201: json(RegisteredCertificate, "it is registered now"),
    ...problems,
  },
});

const revoke = createRoute({
  method: "delete",
  path: "/v1/certificates/{fingerprint}",
  description: "Revokes a certificate for ever and closes the agent's live sockets (4403). Safe to repeat.",
  security: [{ adminToken: [] }],
  middleware: [administrative] as const,
  request: { params: z.object({ fingerprint: Fingerprint }) },
  responses: { 200: json(RevokedCertificate, "it is revoked"), ...problems },
});

const refusals: Record<Exclude<Registration, "registered" | "unchanged">, [ErrorReason, Issue[]?]> = {
  revoked: ["certificate_revoked"],
  taken: ["certificate_taken"],
  account_unknown: ["invalid_request", [{ path: "account", message: "no such account" }]],
};

export function certificateRoutes(app: OpenAPIHono<App>): void {
  app.openapi(register, async (c) => {
    const { account, agent_id: agent, certificate: pem } = c.req.valid("json");
    const at = Date.now();
    const unfit = (message: string) => problem(c, "invalid_request", { issues: [{ path: "certificate", message }] });
    const certificate = readCertificate(pem);
    if (certificate === undefined) return unfit("not exactly one X.509 certificate in PEM");
    if (certificate.notAfter < at) return unfit("the certificate has expired");

    const createAccount = account === defaultAccount;
    const record = { account, agent, at, createAccount, ...certificate };
    const outcome = await registerCertificate(drizzle(c.env.DB), record);
    if (outcome !== "registered" && outcome !== "unchanged") {
      const [reason, issues] = refusals[outcome];
      return problem(c, reason, issues && { issues });
    }
    const { notBefore, notAfter, ...facts } = certificate;
    const times = { not_before: new Date(notBefore).toISOString(), not_after: new Date(notAfter).toISOString() };
    return c.json({ account, agent_id: agent, ...facts, ...times }, outcome === "registered" ? 201 : 200);
  });

  app.openapi(revoke, async (c) => {
    const { fingerprint } = c.req.valid("param");
    const owner = await revokeCertificate(drizzle(c.env.DB), fingerprint, Date.now());
    if (owner === undefined) return problem(c, "certificate_not_found");
    const { account, agent } = owner;
    // An agent has one live connection. If it is by another of its certificates it is closed as well: it reads 4403 as
    // final, so the safe side costs a restart of that agent, and the other side would leave a revoked one connected.
    const closed = await agentObject(c.env, account, agent).disconnect(closeCodes.revoked, "certificate_revoked");
    return c.json({ account, agent_id: agent, fingerprint, status: "revoked" as const, closed }, 200);
  });
}
