// Writing certificates: the one shape that every certificate of ours has, whoever it is for. No files, no requests, no clock.
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** The keys that we make ourselves. */
export const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A private or public key, as WebCrypto holds it here and in Node. */
export type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A CA: its certificate, and the key that belongs to it. */
export interface Signer {
  certificate: X509Certificate;
  key: Key;
}

export interface CertificateContent {
  subject: JsonName;
  publicKey: PublicKey;
  notBefore: Date;
  notAfter: Date;
  usage: "clientAuth" | "serverAuth";
  alternativeNames: JsonGeneralNames;
}

/** Clocks of those who verify may be a little behind. */
export const clockSkewMs = 5 * 60 * 1000;

/** 16 random bytes with the top bit clear and no leading zero: positive, and the same length in every encoding. */
export function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Signs the certificate of somebody who is no CA. */
export async function signCertificate(signer: Signer, content: CertificateContent): Promise<X509Certificate> {
  const { subject, publicKey, notBefore, notAfter, usage, alternativeNames } = content;
  return X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: signer.certificate.subjectName,
    notBefore,
    notAfter,
    signingAlgorithm: ecdsa,
    signingKey: signer.key,
    publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage[usage]]),
      new SubjectAlternativeNameExtension(alternativeNames),
      // Strict verifiers (Python 3.13's default) want both identifiers.
      await AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
}

/** Whose a certificate is, in names of ours. */
export const agentNames = (account: string, agent: string) => ({
  subject: [{ O: [account] }, { CN: [agent] }] satisfies JsonName,
  alternativeNames: [{ type: "url", value: `agentworks://${account}/${agent}` }] satisfies JsonGeneralNames,
});

/**
 * A CA out of its two PEM texts. Throws when they cannot be read, do not belong to each other, or the certificate has ended.
 * @param now epoch milliseconds
 */
export async function readSigner(pems: { certificate: string; key: string }, now: number): Promise<Signer> {
  const certificate = new X509Certificate(pems.certificate);
  const key = await crypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(pems.key), ecdsa, false, ["sign"]);
  const probe = new TextEncoder().encode("agentworks");
  const publicKey = await certificate.publicKey.export(ecdsa, ["verify"]);
  if (!(await crypto.subtle.verify(ecdsa, publicKey, await crypto.subtle.sign(ecdsa, key, probe), probe))) {
    throw new Error("the key does not belong to the certificate");
  }
  if (certificate.notAfter.getTime() < now) throw new Error("the certificate has expired");
  return { certificate, key };
}

/** One PEM block with a line break at its end. */
export const pemOf = (certificate: X509Certificate): string => `${certificate.toString("pem")}\n`;
