// The HTTP application: which checks and routes there are, and what becomes of everything that none of them answers.
import { OpenAPIHono } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { bounds } from "../schema/bounds.ts";
import { docsPage } from "./docs-page.ts";
import type { App } from "./env.ts";
import { throughEdge } from "./identity/middleware.ts";
import { internalProblem, issuesOf, problem } from "./problem.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { agentRoutes } from "./routes/agents.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { auditRoutes } from "./routes/audit.ts";
import { capabilityRoutes } from "./routes/capabilities.ts";
import { certificateRoutes } from "./routes/certificates.ts";
import { registerDescriptions } from "./routes/description.ts";
import { enrolmentRoutes } from "./routes/enrolments.ts";
import { healthRoutes } from "./routes/health.ts";
import { invitationRoutes } from "./routes/invitations.ts";
import { issuingRoutes } from "./routes/issuing.ts";
import { memberRoutes } from "./routes/members.ts";
import { personRoutes } from "./routes/person.ts";
import { policyRoutes } from "./routes/policy.ts";
import { registerSchemes } from "./routes/route.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { upgradeRoutes } from "./routes/upgrades.ts";
import { version } from "./version.ts";

/** The application; `app.fetch(request, env)` answers every request. */
export function createApp(): OpenAPIHono<App> {
  const app = new OpenAPIHono<App>({
    defaultHook: (result, c) =>
      result.success ? undefined : problem(c, "invalid_request", { issues: issuesOf(result.error) }),
  });
  app.use(throughEdge);
  app.use(bodyLimit({ maxSize: bounds.bodyBytesMax, onError: (c) => problem(c, "request_too_large") }));
  app.notFound((c) => problem(c, "route_unknown"));
  app.onError((cause, c) =>
    // Hono throws one for a body that is not JSON.
    cause instanceof HTTPException && cause.status < 500
      ? problem(c, "invalid_request", { issues: [{ path: "", message: cause.message }] })
      : internalProblem(c, cause),
  );

  healthRoutes(app);
  upgradeRoutes(app);
  sessionRoutes(app);
  agentRoutes(app);
  certificateRoutes(app);
  accountRoutes(app);
  issuingRoutes(app);
  enrolmentRoutes(app);
  apiKeyRoutes(app);
  capabilityRoutes(app);
  policyRoutes(app);
  auditRoutes(app);
  signInRoutes(app);
  personRoutes(app);
  memberRoutes(app);
  invitationRoutes(app);

  registerDescriptions(app);
  registerSchemes(app);
  // Not by `app.doc31`, which answers its own failure with the bare error.
  const document = () => app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "agentworks", version } });
  app.get("/v1/openapi.json", (c) => c.json(document()));
  app.get("/docs", async (c) => {
    const { html, policy } = await docsPage(document());
    return c.html(html, 200, { "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff" });
  });
  return app;
}
