// Reading one PEM certificate that the administrator registers: the facts that the registry keeps.
import { X509Certificate } from "node:crypto";
import { parseCertificateTime } from "./certificate-time.ts";

/** Facts of a certificate. Times are epoch milliseconds; `serial` is upper-case hex; `subject` one `TYPE=value` a line. */
export interface CertificateContent {
  fingerprint: string;
  serial: string;
  subject: string;
  notBefore: number;
  notAfter: number;
}

/** @returns undefined when the text is not exactly one certificate */
export function readCertificate(pem: string): CertificateContent | undefined {
  // A key beside the certificate is a mistake that must not pass in silence, and a chain would leave in doubt which is meant.
  if (pem.match(/-----BEGIN /g)?.length !== 1) return undefined;
  try {
    const x509 = new X509Certificate(pem);
    const notBefore = parseCertificateTime(x509.validFrom);
    const notAfter = parseCertificateTime(x509.validTo);
    if (notBefore === undefined || notAfter === undefined) return undefined;
    const fingerprint = x509.fingerprint256.replaceAll(":", "").toLowerCase();
    return { fingerprint, serial: x509.serialNumber.toUpperCase(), subject: x509.subject ?? "", notBefore, notAfter };
  } catch {
    return undefined;
  }
}
