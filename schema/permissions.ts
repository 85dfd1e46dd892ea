// Who may do what over HTTP: permissions, the scopes that an API key is given, and what each role has. A table and pure look-ups.

/** What an API key can be allowed. `read` never changes anything; `write` is no `read`. */
export const scopes = [
  "account:read",
  "account:write",
  "keys:read",
  "keys:write",
  "agents:read",
  "agents:write",
  "certificates:read",
  "certificates:write",
  "sessions:read",
  "sessions:write",
  "capabilities:read",
  "policy:read",
  "policy:write",
  "audit:read",
] as const;
export type Scope = (typeof scopes)[number];

/** What a route needs. `accounts:write`, making and suspending accounts, is the operator's alone: no scope gives it. */
export type Permission = Scope | "accounts:write";

export const everyPermission: ReadonlySet<Permission> = new Set<Permission>([...scopes, "accounts:write"]);

/** Looks, and changes nothing. Neither keys nor the audit log: both tell about people. */
const viewer: readonly Scope[] = [
  "account:read",
  "agents:read",
  "certificates:read",
  "sessions:read",
  "capabilities:read",
  "policy:read",
];

/** What somebody in an account may be; each has all that the one before it has. */
export const roles = {
  viewer,
  developer: [
    ...viewer,
    "keys:read",
    "keys:write",
    "agents:write",
    "certificates:write",
    "sessions:write",
    "audit:read",
  ],
  owner: scopes,
} as const satisfies Record<string, readonly Scope[]>;
export type Role = keyof typeof roles;
