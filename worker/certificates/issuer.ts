// The seam between this API and whoever signs certificates. What a certificate says of an agent is decided before it; that the
// registry knows the certificate, after it. Two implementations: development-ca.ts, cloudflare.ts.
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import type { SigningRequest } from "../../x509/signing-request.ts";

/** What is to be signed. */
export interface CertificateOrder {
  request: SigningRequest;
  account: string;
  agent: string;
  /** Epoch milliseconds: from when on, and for how long. */
  now: number;
  lifeMs: number;
}

/** A certificate that was signed, and is not registered yet. */
export interface Issued {
  ok: true;
  /** One PEM block. */
  certificate: string;
  /** PEM blocks of the CAs above it; empty where nobody needs them. */
  chain: string;
  /** What the issuer calls it; null where it keeps no book. */
  reference: string | null;
}

export interface NotIssued {
  ok: false;
  reason: Extract<ErrorReason, "issuer_missing" | "issuer_unavailable" | "signing_request_refused">;
  /** What the issuer said about the request, for whoever made it. */
  message?: string;
  /** What the issuer calls a certificate that it made, and that is of no use: it must not stay good. */
  abandoned?: string;
}

export interface CertificateIssuer {
  /** As the registry notes it. */
  readonly name: "development" | "cloudflare";
  issue(order: CertificateOrder): Promise<Issued | NotIssued>;
  /**
   * Tells the issuer that a certificate is revoked; the registry knows already, and that alone keeps everybody out. Safe to repeat.
   * @returns false when the issuer could not be told: it must be told again
   */
  revoke(reference: string): Promise<boolean>;
}
