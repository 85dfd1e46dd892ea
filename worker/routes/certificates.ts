// Certificates: register the one of an agent, revoke one and close what it opened.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
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
import { tellIssuer } from "../certificates/revocations.ts";
import type { App } from "../env.ts";
import { authorOf } from "../identity/middleware.ts";
import { readCertificate } from "../identity/pem.ts";
import { agentObject } from "../objects.ts";
import { problem } from "../problem.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time } from "./times.ts";

const register = guardedRoute({
  method: "post",
  path: "/v1/certificates",
  description: "Registers the certificate of an agent, and the agent if it is new. Safe to repeat.",
  access: { permission: "certificates:write" },
  request: { body: body(RegisterCertificate) },
  refuses: ["certificate_revoked", "certificate_taken"],
  responses: {
    200: json(RegisteredCertificate, "it was registered for this agent before"),
    201: json(RegisteredCertificate, "it is registered now"),
  },
});

const revoke = guardedRoute({
  method: "delete",
  path: "/v1/certificates/{fingerprint}",
  description:
    "Revokes a certificate and its renewals for ever, and closes the live sockets that they opened (4403). Safe to repeat.",
  access: { permission: "certificates:write" },
  request: { params: z.object({ fingerprint: Fingerprint }) },
  refuses: ["certificate_not_found"],
  responses: { 200: json(RevokedCertificate, "it is revoked") },
});

const refusals: Record<Exclude<Registration, "registered" | "unchanged">, ErrorReason> = {
  revoked: "certificate_revoked",
  taken: "certificate_taken",
  account_unknown: "account_not_found",
};

export function certificateRoutes(app: OpenAPIHono<App>): void {
  app.openapi(register, async (c) => {
    const { account } = c.var.principal;
    const { agent_id: agent, certificate: pem } = c.req.valid("json");
    const author = authorOf(c);
    const unfit = (message: string) => problem(c, "invalid_request", { issues: [{ path: "certificate", message }] });
    const certificate = readCertificate(pem);
    if (certificate === undefined) return unfit("not exactly one X.509 certificate in PEM");
    if (certificate.notAfter < author.at) return unfit("the certificate has expired");

    const createAccount = account === defaultAccount;
    const record = { account, agent, createAccount, ...certificate };
    const outcome = await registerCertificate(drizzle(c.env.DB), record, author);
    if (outcome !== "registered" && outcome !== "unchanged") {
      return problem(c, refusals[outcome]);
    }
    const { notBefore, notAfter, ...facts } = certificate;
    const times = { not_before: time(notBefore), not_after: time(notAfter) };
    return c.json({ account, agent_id: agent, ...facts, ...times }, outcome === "registered" ? 201 : 200);
  });

  app.openapi(revoke, async (c) => {
    const { fingerprint } = c.req.valid("param");
    const { account } = c.var.principal;
    const revoked = await revokeCertificate(drizzle(c.env.DB), account, fingerprint, authorOf(c));
    if (revoked === undefined) return problem(c, "certificate_not_found");
    const { agent, fingerprints } = revoked;
    // A connection by another of its certificates stays: an agent that has a new one does not end with the old one.
    const object = agentObject(c.env, account, agent);
    const closed = await object.disconnect(closeCodes.revoked, "certificate_revoked", fingerprints);
    // Not waited for: the registry keeps it out already.
    c.executionCtx.waitUntil(tellIssuer(c.env));
    const renewals = fingerprints.filter((one) => one !== fingerprint);
    return c.json({ account, agent_id: agent, fingerprint, status: "revoked" as const, closed, renewals }, 200);
  });
}
