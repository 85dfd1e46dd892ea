// What Cloudflare would say in `request.cf.tlsClientAuth` about a TLS client, in Cloudflare's own formats.
// Facts only: nothing here decides who may come in (worker/identity does).

import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** The fields of Cloudflare's `IncomingRequestCfPropertiesTLSClientAuth`. Strings but for the two `…TooLarge`. */
export interface TlsClientAuth {
  certPresented: "0" | "1";
  certVerified: string;
  certRevoked: "0" | "1";
  certIssuerDN: string;
  certSubjectDN: string;
  certIssuerDNRFC2253: string;
  certSubjectDNRFC2253: string;
  certIssuerDNLegacy: string;
  certSubjectDNLegacy: string;
  /** Upper-case hex. */
  certSerial: string;
  certIssuerSerial: string;
  certSKI: string;
  certIssuerSKI: string;
  /** 40 lower-case hex digits. */
  certFingerprintSHA1: string;
  /** 64 lower-case hex digits, no colons. */
  certFingerprintSHA256: string;
  /** As `Mar 21 13:35:00 2022 GMT`. */
  certNotBefore: string;
  certNotAfter: string;
  /** `:base64 of the DER:` (RFC 9440). */
  certRFC9440: string;
  certRFC9440TooLarge: boolean;
  certChainRFC9440: string;
  certChainRFC9440TooLarge: boolean;
}

/** Cloudflare leaves a certificate out of `certRFC9440` beyond this. */
const derBytesMax = 10 * 1024;
/** Own CAs have one or two intermediates; the bound only stops a loop. */
const chainLengthMax = 6;

/** What Cloudflare reports when the client showed no certificate. */
export const noCertificate: TlsClientAuth = {
  certPresented: "0",
  certVerified: "NONE",
  certRevoked: "0",
  certIssuerDN: "",
  certSubjectDN: "",
  certIssuerDNRFC2253: "",
  certSubjectDNRFC2253: "",
  certIssuerDNLegacy: "",
  certSubjectDNLegacy: "",
  certSerial: "",
  certIssuerSerial: "",
  certSKI: "",
  certIssuerSKI: "",
  certFingerprintSHA1: "",
  certFingerprintSHA256: "",
  certNotBefore: "",
  certNotAfter: "",
  certRFC9440: "",
  certRFC9440TooLarge: false,
  certChainRFC9440: "",
  certChainRFC9440TooLarge: false,
};

/** Node's names of OpenSSL's verdicts, in Cloudflare's words; a verdict that is not here is the bare "FAILED". */
const verdicts: Record<string, string> = {
  CERT_HAS_EXPIRED: "FAILED:certificate has expired",
  CERT_NOT_YET_VALID: "FAILED:certificate is not yet valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "FAILED:self signed certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "FAILED:self signed certificate",
  UNABLE_TO_GET_ISSUER_CERT: "FAILED:unable to verify the first certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "FAILED:unable to verify the first certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "FAILED:unable to verify the first certificate",
};
const untrusted = "FAILED:unable to verify the first certificate";

/** Which of these CAs signed the certificate. */
export function issuerOf(certificate: X509Certificate, among: readonly X509Certificate[]): X509Certificate | undefined {
  return among.find((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
}

/** False, too, where the client sent a key that OpenSSL cannot read. */
function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function leadsTo(leaf: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  let link: X509Certificate | undefined = leaf;
  for (let i = 0; link !== undefined && i < chainLengthMax; i++) {
    if (issuerOf(link, authorities) !== undefined) return true;
    const issuer: X509Certificate | undefined = link.issuerCertificate;
    if (issuer === undefined || !isSignedBy(link, issuer)) return false;
    link = issuer;
  }
  return false;
}

function verdictOf(socket: TLSSocket, leaf: X509Certificate, authorities: readonly X509Certificate[]): string {
  if (socket.authorized) return "SUCCESS";
  const verdict = verdicts[String(socket.authorizationError)] ?? "FAILED";
  // OpenSSL reports the last thing that it found wrong: for a stranger's expired certificate that would be the date,
  // and "issue a new one" would be bad advice.
  const aboutDates = verdict === verdicts.CERT_HAS_EXPIRED || verdict === verdicts.CERT_NOT_YET_VALID;
  return aboutDates && !leadsTo(leaf, authorities) ? untrusted : verdict;
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();
const rfc2253 = (name: string): string => name.split("\n").reverse().join(",");
const legacy = (name: string): string => `/${name.split("\n").join("/")}`;

/**
 * The facts about the client of a TLS connection, after its handshake.
 *
 * @param authorities the CAs that the listener trusts.
 */
export function tlsClientAuthOf(socket: TLSSocket, authorities: readonly X509Certificate[]): TlsClientAuth {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return noCertificate;
  // Node leaves names and serials undefined where a certificate has none.
  const subject = leaf.subject ?? "";
  const issuer = leaf.issuer ?? "";
  const tooLarge = leaf.raw.length > derBytesMax;
  return {
    ...noCertificate,
    certPresented: "1",
    certVerified: verdictOf(socket, leaf, authorities),
    certIssuerDN: rfc2253(issuer),
    certSubjectDN: rfc2253(subject),
    certIssuerDNRFC2253: rfc2253(issuer),
    certSubjectDNRFC2253: rfc2253(subject),
    certIssuerDNLegacy: legacy(issuer),
    certSubjectDNLegacy: legacy(subject),
    certSerial: leaf.serialNumber,
    certIssuerSerial: issuerOf(leaf, authorities)?.serialNumber ?? "",
    certFingerprintSHA1: hex(leaf.fingerprint),
    certFingerprintSHA256: hex(leaf.fingerprint256),
    certNotBefore: leaf.validFrom,
    certNotAfter: leaf.validTo,
    certRFC9440: tooLarge ? "" : `:${leaf.raw.toString("base64")}:`,
    certRFC9440TooLarge: tooLarge,
  };
}

/** The certificates of a PEM bundle, in order. Throws when a block does not parse. */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
