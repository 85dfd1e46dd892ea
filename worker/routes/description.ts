// What openapi.json says of a route beyond its shapes: the headers that it takes and gives, the account that it is asked about, and
// every refusal that it can answer with, by status. Derived from how the route is declared, so that no route repeats it.
import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { type ErrorReason, errors } from "../../protocol/wire/errors.ts";
import { bounds } from "../../schema/bounds.ts";
import { AccountId } from "../../schema/http.ts";
import type { App } from "../env.ts";
import { problemContent } from "./responses.ts";

/** What the description of a route follows from. */
export interface Described {
  method: RouteConfig["method"];
  request?: RouteConfig["request"];
  responses: RouteConfig["responses"];
  /** What it may refuse by, beside what its guard and its method bring with them. */
  refuses?: readonly ErrorReason[];
  /** What is shown or changed has a revision: answers have its `ETag`, PATCH and PUT take `If-Match`. */
  tagged?: boolean;
}

/** A client certificate that is not taken, whatever else the route asks for. */
const certificateRefusals = [
  "certificate_untrusted",
  "certificate_expired",
  "certificate_not_yet_valid",
  "certificate_revoked",
  "certificate_unknown",
  "agent_suspended",
] as const satisfies readonly ErrorReason[];

/** Of routes that only a client certificate opens. */
export const identityRefusals: readonly ErrorReason[] = [
  "certificate_required",
  ...certificateRefusals,
  "too_many_requests",
];

/** Of every guard: whoever asks may send any kind of credential. */
export const guardRefusals: readonly ErrorReason[] = [
  "credentials_required",
  "credentials_invalid",
  "api_key_expired",
  "api_key_revoked",
  "enrolment_token_invalid",
  "sign_in_ended",
  "origin_refused",
  ...certificateRefusals,
  "account_suspended",
  "account_required",
  "permission_denied",
  "account_not_found",
  "too_many_requests",
];

const parameters = {
  account: {
    name: "account",
    in: "query",
    description:
      "The account that is asked about: the operator's choice, and that of people who are in several. For everybody else there is only their own.",
    schema: { type: "string", pattern: z.toJSONSchema(AccountId).pattern ?? "" },
  },
  "If-Match": {
    name: "If-Match",
    in: "header",
    description: "The `ETag` of what was seen: when it was changed since, the change is refused (412).",
    schema: { type: "string" },
  },
  "Idempotency-Key": {
    name: "Idempotency-Key",
    in: "header",
    description:
      "The same request with the same key is answered as it was the first time, for a day, and changes nothing again.",
    schema: { type: "string", pattern: "^[!-~]+$", minLength: 1, maxLength: bounds.idempotencyKeyCharsMax },
  },
} as const;

const headers = {
  ETag: { description: "The revision, for `If-Match`.", schema: { type: "string" } },
  "RateLimit-Limit": { description: "How many requests the caller has at once.", schema: { type: "integer" } },
  "RateLimit-Remaining": { description: "How many of them are left.", schema: { type: "integer" } },
  "RateLimit-Reset": { description: "Seconds until all are there again.", schema: { type: "integer" } },
  "Retry-After": {
    description: "Seconds; with `too_many_requests`, `too_many_attempts`, `issuer_unavailable`.",
    schema: { type: "integer" },
  },
  "Idempotency-Replayed": {
    description: "The answer is the stored one of an earlier request with this `Idempotency-Key`.",
    schema: { type: "string", const: "true" },
  },
  "WWW-Authenticate": { description: "What to send.", schema: { type: "string" } },
} as const;

/** Declares what routes refer to. */
export function registerDescriptions({ openAPIRegistry: registry }: OpenAPIHono<App>): void {
  for (const [name, parameter] of Object.entries(parameters)) registry.registerComponent("parameters", name, parameter);
  for (const [name, header] of Object.entries(headers)) registry.registerComponent("headers", name, header);
}

const takes = (names: readonly (keyof typeof parameters)[]) =>
  names.length === 0 ? {} : { parameters: names.map((name) => ({ $ref: `#/components/parameters/${name}` })) };

const gives = (names: readonly (keyof typeof headers)[]) =>
  names.length === 0
    ? {}
    : { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) };

const rateLimit = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"] as const;
/** Refused before anybody counts. */
const uncounted: ReadonlySet<number> = new Set([413]);
/** Refused before anybody looks for an earlier answer. */
const unrepeated: ReadonlySet<number> = new Set([401, 413]);

/** Where no guard counts callers, strangers are counted. */
const refusesStrangers: ReadonlySet<number> = new Set([403, 429]);

/** Refusals that come with the method and the shapes of a route. */
function inherent({ method, request, tagged }: Described, guarded: boolean): ErrorReason[] {
  const repeats = guarded && method === "post";
  return [
    "edge_required",
    ...(request !== undefined || repeats ? (["invalid_request"] as const) : []),
    ...(method === "get" ? [] : (["request_too_large"] as const)),
    ...(repeats ? (["idempotency_conflict", "idempotency_in_progress"] as const) : []),
    ...(tagged && isChange(method) ? (["precondition_failed"] as const) : []),
    "internal",
  ];
}

const isChange = (method: Described["method"]) => method === "patch" || method === "put";

function headersOf({ method, tagged }: Described, guarded: boolean, status: number, strangers = false) {
  return gives([
    ...(tagged && status < 300 ? (["ETag"] as const) : []),
    ...((guarded && !uncounted.has(status)) || (strangers && refusesStrangers.has(status)) ? rateLimit : []),
    ...(guarded && method === "post" && !unrepeated.has(status) && status < 500
      ? (["Idempotency-Replayed"] as const)
      : []),
    ...(status === 429 || status === 503 ? (["Retry-After"] as const) : []),
    ...(status === 401 ? (["WWW-Authenticate"] as const) : []),
  ]);
}

/** Refusals by status, in the order of the table of errors. `x-reasons` has what the description tells people. */
function refusalsOf(route: Described, reasons: ReadonlySet<ErrorReason>, guarded: boolean) {
  const strangers = reasons.has("too_many_requests");
  const byStatus = Map.groupBy(
    Object.entries(errors).filter(([reason]) => [...reasons].some((one) => one === reason)),
    ([, { status }]) => status,
  );
  return Object.fromEntries(
    [...byStatus].map(([status, entries]) => {
      const names = entries.map(([reason]) => reason);
      const description = names.map((name) => `\`${name}\``).join(", ");
      const described = { description, "x-reasons": names, content: problemContent };
      return [status, { ...described, ...headersOf(route, guarded, status, strangers) }];
    }),
  );
}

/** What finds out who asks. */
export interface Guard {
  /** The operator names the account; an enrolment token has its own. */
  account: boolean;
}

/**
 * `parameters` and `responses` of a route as openapi.json has them.
 * @param by what everything that stands before it refuses by
 * @param guard without one nobody is counted, and nothing is repeated
 */
export function describe(route: Described, by: readonly ErrorReason[], guard: Guard | undefined) {
  const guarded = guard !== undefined;
  const answers = Object.entries(route.responses).map(([status, response]) => [
    status,
    { ...response, ...headersOf(route, guarded, Number(status)) },
  ]);
  const reasons = new Set([...by, ...(route.refuses ?? []), ...inherent(route, guarded)]);
  return {
    ...takes([
      ...(guard?.account ? (["account"] as const) : []),
      ...(route.tagged && isChange(route.method) ? (["If-Match"] as const) : []),
      ...(guarded && route.method === "post" ? (["Idempotency-Key"] as const) : []),
    ]),
    responses: { ...Object.fromEntries(answers), ...refusalsOf(route, reasons, guarded) },
  };
}
