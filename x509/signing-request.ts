// Reading a certificate signing request (PKCS#10): whether whoever made it has the private key, and whether that key is one
// that may stand for an agent. Pure but for WebCrypto. The names in a request are nobody's concern: certificates carry ours.
import { Pkcs10CertificateRequest, type PublicKey } from "@peculiar/x509";

/** A request that may be answered with a certificate. */
export interface SigningRequest {
  /** One PEM block. */
  pem: string;
  publicKey: PublicKey;
}

export type SigningRequestJudgement = { ok: true; request: SigningRequest } | { ok: false; message: string };

const label = /^-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\s[\s\S]*-----END (?:NEW )?CERTIFICATE REQUEST-----$/;
const curves: readonly string[] = ["P-256", "P-384"];
const hashes: readonly string[] = ["SHA-256", "SHA-384", "SHA-512"];
const rsaBits = { min: 2048, max: 4096 };
/** 65537, as everybody has it. */
const rsaExponent = "010001";
const advice = "P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits";

const refuse = (message: string): SigningRequestJudgement => ({ ok: false, message });

type Key = Awaited<ReturnType<PublicKey["export"]>>;

/** What is wrong with a key; undefined when nothing is. */
function weaknessOf({ algorithm }: Key): string | undefined {
  if (algorithm.name === "Ed25519") return undefined;
  if ("namedCurve" in algorithm && algorithm.name === "ECDSA") {
    const curve = String(algorithm.namedCurve);
    return curves.includes(curve) ? undefined : `the curve ${curve} is not taken: use ${advice}`;
  }
  if ("modulusLength" in algorithm && algorithm.name.startsWith("RSA")) {
    const bits = Number(algorithm.modulusLength);
    if (bits < rsaBits.min) return `an RSA key of ${bits} bits is too weak: use ${advice}`;
    if (bits > rsaBits.max) return `an RSA key of ${bits} bits is too long: use ${advice}`;
    const exponent = "publicExponent" in algorithm ? algorithm.publicExponent : undefined;
    const hex =
      exponent instanceof Uint8Array ? Array.from(exponent, (byte) => byte.toString(16).padStart(2, "0")) : [];
    return hex.join("") === rsaExponent ? undefined : "the RSA key's public exponent is not 65537";
  }
  return `keys of ${algorithm.name} are not taken: use ${advice}`;
}

/** The hash of a signature; Ed25519 has its own. */
function hashOf({ signatureAlgorithm }: Pkcs10CertificateRequest): string {
  const { name, hash } = signatureAlgorithm as { name: string; hash?: { name: string } };
  return hash?.name ?? name;
}

/**
 * Judges the text that was sent as a signing request.
 * @param text of a bounded length: that is the caller's part
 */
export async function judgeSigningRequest(text: string): Promise<SigningRequestJudgement> {
  const pem = text.trim();
  if (/PRIVATE KEY-----/.test(pem)) {
    return refuse(
      "there is a private key in it: it is not secret any more. Make a new key, and send the request alone",
    );
  }
  if (!label.test(pem) || pem.match(/-----BEGIN /g)?.length !== 1) {
    return refuse("not exactly one certificate signing request (PKCS#10) in PEM");
  }
  let request: Pkcs10CertificateRequest;
  let key: Key;
  try {
    request = new Pkcs10CertificateRequest(pem);
  } catch {
    return refuse("not a certificate signing request (PKCS#10) in PEM: its content is damaged");
  }
  try {
    key = await request.publicKey.export();
  } catch {
    return refuse(`its key cannot be read: use ${advice}`);
  }
  const weakness = weaknessOf(key);
  if (weakness !== undefined) return refuse(weakness);
  if (hashOf(request) !== "Ed25519" && !hashes.includes(hashOf(request))) {
    return refuse(`it is signed with ${hashOf(request)}: sign it with SHA-256, SHA-384 or SHA-512`);
  }
  // The proof of possession: it is signed by the very key that it asks a certificate for.
  const proven = await request.verify().catch(() => false);
  if (!proven) return refuse("its signature is not by its own key");
  return { ok: true, request: { pem: `${request.toString("pem")}\n`, publicKey: request.publicKey } };
}
