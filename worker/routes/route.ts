// How a route of the API is declared: with what it asks of its callers, from which come its guard and its part of openapi.json.
// Every route but the documents is made here; one without `access` does not compile.
import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { roles } from "../../schema/permissions.ts";
import type { App } from "../env.ts";
import { signInCookie } from "../identity/auth.ts";
import { type Access, guarded, permissionOf } from "../identity/middleware.ts";
import { type Described, describe, type Guard, guardRefusals } from "./description.ts";
import type { problemContent } from "./responses.ts";

type Declared = Omit<RouteConfig, "path" | "parameters"> & Pick<Described, "refuses" | "tagged">;

/** What handlers may answer beside the statuses of their route. The document has each refusal by itself. */
type Refusable = { responses: { default: { description: string; content: typeof problemContent } } };

/** The kinds of credentials that open a route. */
function schemesOf(access: Access): readonly (keyof typeof schemes)[] {
  if ("enrolment" in access) return ["enrolmentToken"];
  if ("person" in access) return ["signIn"];
  // What no role has, no member may.
  const members = access.people === true || roles.owner.some((scope) => scope === access.permission);
  return [
    "apiKey",
    ...(members ? (["signIn"] as const) : []),
    ...(access.agents === true ? (["clientCertificate"] as const) : []),
  ];
}

/** How each is sent. The operator's token and API keys are of one kind. */
const schemes = {
  clientCertificate: { type: "mutualTLS" },
  apiKey: { type: "http", scheme: "bearer" },
  enrolmentToken: { type: "http", scheme: "bearer" },
  signIn: { type: "apiKey", in: "cookie", name: signInCookie },
} as const;

/** Declares what routes refer to. */
export function registerSchemes({ openAPIRegistry: registry }: OpenAPIHono<App>): void {
  for (const [name, scheme] of Object.entries(schemes)) registry.registerComponent("securitySchemes", name, scheme);
}

/** What the document says of a guard. */
export const securityOf = (access: Access) => ({
  security: schemesOf(access).map((scheme) => ({ [scheme]: [] })),
  "x-permission": permissionOf(access),
});

/**
 * `createRoute` with what the document says of it. `refuses` names what only this route refuses by; `tagged` gives it `ETag` and
 * `If-Match`.
 * @param by what everything that stands before the route refuses by
 * @param guard what stands before it, where that finds out who asks
 */
export function describedRoute<P extends string, R extends Declared & { path: P }>(
  route: R,
  by: readonly ErrorReason[] = [],
  guard?: Guard,
) {
  const { refuses: _, tagged: __, ...declared } = route;
  return createRoute<P, R & Refusable>({ ...declared, ...describe(route, by, guard) } as R & Refusable);
}

/** The same behind a guard. In the document, `x-permission` is what the route needs. */
export function guardedRoute<P extends string, R extends Declared & { path: P; access: Access }>(route: R) {
  const guards = { ...securityOf(route.access), middleware: guarded(route.access) };
  const { access, ...declared } = { ...route, ...guards };
  const guard = { account: "permission" in access };
  return describedRoute<P, R & typeof guards>(declared as R & typeof guards, guardRefusals, guard);
}
