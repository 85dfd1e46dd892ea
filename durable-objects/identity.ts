// Who is at the other end of a socket. The Worker alone can reach an object, and it alone makes this header (AUTHENTICATION).
import { z } from "zod";

const Identity = z.object({
  account: z.string(),
  agent: z.string(),
  fingerprint: z.string(),
  /** End of the certificate, epoch milliseconds. */
  expiresAt: z.number(),
});
export type Identity = z.infer<typeof Identity>;

/** The identity of an upgrade. Throws when it is missing: that is a bug of ours, never a client's fault. */
export function identityOf(request: Request): Identity {
  return Identity.parse(JSON.parse(request.headers.get("X-Agentworks-Identity") ?? "null"));
}
