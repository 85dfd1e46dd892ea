// Enrolment: a token is made for one agent by somebody who may; a machine that has nothing else trades it for a certificate, once.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { drizzle } from "drizzle-orm/d1";
import { AgentId } from "../../protocol/wire/ids.ts";
import { bounds } from "../../schema/bounds.ts";
import {
  CreatedEnrolmentToken,
  CreateEnrolmentToken,
  Enrol,
  IssuedCertificate,
} from "../../schema/http-certificates.ts";
import { createEnrolmentToken } from "../../schema/registry.ts";
import type { App } from "../env.ts";
import { enrolmentTokenForm, hashSecret } from "../identity/bearer.ts";
import { authorOf } from "../identity/middleware.ts";
import { problem } from "../problem.ts";
import { answerAgain, answerWithCertificate, issuingRefusals } from "./issuing.ts";
import { body, json } from "./responses.ts";
import { guardedRoute } from "./route.ts";
import { time } from "./times.ts";

const createToken = guardedRoute({
  method: "post",
  path: "/v1/agents/{agent_id}/enrolment-tokens",
  description:
    "Makes a token by which a machine without an API key gets one certificate for this agent. The answer has the token itself, which is shown this once.",
  access: { permission: "certificates:write" },
  request: {
    params: z.object({ agent_id: AgentId }),
    body: body(CreateEnrolmentToken),
  },
  refuses: ["agent_not_found"],
  responses: { 201: json(CreatedEnrolmentToken, "the token") },
});

const enrol = guardedRoute({
  method: "post",
  path: "/v1/enrolments",
  description:
    "Trades an enrolment token for a certificate. The token is used up by the certificate, not by a refusal; a request for the same key gets the same certificate again, while the token lasts.",
  access: { enrolment: true },
  request: { body: body(Enrol) },
  refuses: issuingRefusals,
  responses: { 201: json(IssuedCertificate, "the certificate") },
});

export function enrolmentRoutes(app: OpenAPIHono<App>): void {
  app.openapi(createToken, async (c) => {
    const { account } = c.var.principal;
    const { agent_id: agent } = c.req.valid("param");
    const author = authorOf(c);
    const { id, secret, text: token } = enrolmentTokenForm.mint();
    const expiresAt = author.at + c.req.valid("json").expires_in_s * 1000;
    const record = { id, account, agent, secretHash: await hashSecret(secret), expiresAt };
    if (!(await createEnrolmentToken(drizzle(c.env.DB), record, author))) return problem(c, "agent_not_found");
    const made = { id, account, agent_id: agent, expires_at: time(expiresAt), token };
    return c.json(made, 201, { "Cache-Control": "no-store" });
  });

  app.openapi(enrol, async (c) => {
    const { principal } = c.var;
    if (principal.kind !== "enrolment") return problem(c, "permission_denied", { permission: "enrolment" });
    const { id: token, agent } = principal;
    const lifeMs = bounds.certificateDaysDefault * 24 * 60 * 60 * 1000;
    const { csr } = c.req.valid("json");
    if (principal.used) return answerAgain(c, { csr, agent, token });
    return answerWithCertificate(c, { csr, agent, claim: { by: "enrolment", token }, lifeMs });
  });
}
