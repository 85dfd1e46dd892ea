// The policy over `request.cf.tlsClientAuth`: which client certificate stands for somebody. A pure function of (what the edge
// says, now): no request, no database. Whatever it does not understand it refuses.
import { z } from "zod";
import type { ErrorReason } from "../../protocol/wire/errors.ts";
import { Fingerprint } from "../../schema/http.ts";
import { parseCertificateTime } from "./certificate-time.ts";

/** What is known of a certificate that passed. */
export interface CertificateFacts {
  /** SHA-256 of the DER, 64 lower-case hex digits. */
  fingerprint: string;
  /** `notAfter`, epoch milliseconds: the connection may not outlive it. */
  expiresAt: number;
}

type CertificateReason = Extract<ErrorReason, `certificate_${string}`>;

export type CertificateJudgement =
  | { ok: true; certificate: CertificateFacts }
  | { ok: false; reason: CertificateReason };

/** Cloudflare sends strings, all of them, and many more than these. */
const TlsClientAuth = z.object({
  certPresented: z.literal("1"),
  certVerified: z.string(),
  certRevoked: z.string(),
  certFingerprintSHA256: z.string(),
  certNotBefore: z.string(),
  certNotAfter: z.string(),
});

/**
 * OpenSSL complains about time only after it has built a chain to the CA: then, and only then, the owner may learn that time
 * is the fault. Anything else, an expired certificate of a stranger's CA too, is simply not ours.
 */
const timeFailures = new Map<string, CertificateReason>([
  ["FAILED:certificate has expired", "certificate_expired"],
  ["FAILED:certificate is not yet valid", "certificate_not_yet_valid"],
]);

const refuse = (reason: CertificateReason): CertificateJudgement => ({ ok: false, reason });

/**
 * Judges the certificate of one request.
 * @param tlsClientAuth `request.cf.tlsClientAuth`, as untyped as it comes
 * @param nowMs epoch milliseconds
 */
export function judgeCertificate(tlsClientAuth: unknown, nowMs: number): CertificateJudgement {
  const presented = z.object({ certPresented: z.literal("1") }).safeParse(tlsClientAuth);
  if (!presented.success) return refuse("certificate_required");
  const parsed = TlsClientAuth.safeParse(tlsClientAuth);
  if (!parsed.success) return refuse("certificate_untrusted");
  const tls = parsed.data;

  if (tls.certVerified !== "SUCCESS") {
    return refuse(timeFailures.get(tls.certVerified) ?? "certificate_untrusted");
  }
  // Cloudflare verifies a revoked certificate with SUCCESS: this check is not a repetition of the one above.
  if (tls.certRevoked !== "0") return refuse("certificate_revoked");

  const notBefore = parseCertificateTime(tls.certNotBefore);
  const notAfter = parseCertificateTime(tls.certNotAfter);
  const fingerprint = Fingerprint.safeParse(tls.certFingerprintSHA256);
  if (notBefore === undefined || notAfter === undefined || !fingerprint.success) return refuse("certificate_untrusted");
  if (nowMs < notBefore) return refuse("certificate_not_yet_valid");
  if (nowMs > notAfter) return refuse("certificate_expired");
  return { ok: true, certificate: { fingerprint: fingerprint.data, expiresAt: notAfter } };
}
