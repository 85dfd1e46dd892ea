// Who is at the other end of a socket. The Worker alone can reach an object, and it alone makes this header (AUTHENTICATION).

/** An agent whose certificate was checked. `expiresAt` (epoch milliseconds) is the end of the certificate. */
export interface Identity {
  account: string;
  agent: string;
  fingerprint: string;
  expiresAt: number;
}

const header = "X-Agentworks-Identity";

/** The identity of an upgrade. Throws when it is missing: that is a bug of ours, never a client's fault. */
export function identityOf(request: Request): Identity {
  const identity = request.headers.get(header);
  if (identity === null) throw new Error(`an upgrade came without ${header}`);
  return JSON.parse(identity) as Identity;
}
