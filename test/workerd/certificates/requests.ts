// Signing requests as clients make them, good ones and others.
import {
  type JsonGeneralNames,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";

const algorithms = {
  "P-256": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  "P-384": { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  "P-521": { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" },
  "ECDSA with SHA-1": { name: "ECDSA", namedCurve: "P-256", hash: "SHA-1" },
  Ed25519: { name: "Ed25519" },
  "RSA 1024": {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 1024,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
  "RSA 2048": {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
  "RSA with exponent 3": {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(3),
    hash: "SHA-256",
  },
} as const;
export type KeyKind = keyof typeof algorithms;

async function newKeys(kind: KeyKind): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(algorithms[kind], true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error(`${kind} has no pair of keys`);
  return keys;
}

export interface RequestOptions {
  kind?: KeyKind;
  subject?: string;
  alternativeNames?: JsonGeneralNames;
}

/** The request, PEM, and the DER of the key that it is for. */
export async function newRequest(options: RequestOptions = {}): Promise<{ csr: string; publicKey: Uint8Array }> {
  const { kind = "P-256", subject = "CN=planner", alternativeNames } = options;
  const keys = await newKeys(kind);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys,
    signingAlgorithm: algorithms[kind],
    extensions: alternativeNames === undefined ? [] : [new SubjectAlternativeNameExtension(alternativeNames)],
  });
  return { csr: request.toString("pem"), publicKey: new Uint8Array(request.publicKey.rawData) };
}

/** The DER of a PEM block, a character for each byte. */
export const contentOf = (pem: string) => atob(pem.replace(/-----[^-]+-----|\s/g, ""));

export const pemOf = (der: Uint8Array, label = "CERTIFICATE REQUEST") =>
  `-----BEGIN ${label}-----\n${btoa(String.fromCharCode(...der))}\n-----END ${label}-----`;

/** The same request with one byte otherwise, counted from its end when negative. */
export function damaged(pem: string, at: number): string {
  const der = Uint8Array.from(contentOf(pem), (char) => char.charCodeAt(0));
  const index = at < 0 ? der.length + at : at;
  der[index] = (der[index] ?? 0) ^ 1;
  return pemOf(der);
}
