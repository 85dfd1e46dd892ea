// Who may do what over HTTP: permissions, the scopes that an API key is given, and what each role has. A table and pure look-ups.

/** What an API key can be allowed. `read` never changes anything; `write` is no `read`. */
export const scopes = [
  "account:read",
  "account:write",
  "members:read",
  "members:write",
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

/** The operator's alone, which no scope gives: making and suspending accounts, and links that sign people in. */
export const operatorPermissions = ["accounts:write", "sign-in-links:write"] as const;

/** What a route needs. */
export type Permission = Scope | (typeof operatorPermissions)[number];

export const everyPermission: ReadonlySet<Permission> = new Set<Permission>([...scopes, ...operatorPermissions]);

/** Looks, and changes nothing. Neither members nor keys nor the audit log: they tell about people. */
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
    "members:read",
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
export const roleNames = ["owner", "developer", "viewer"] as const satisfies readonly Role[];
