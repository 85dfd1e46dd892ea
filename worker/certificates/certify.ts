// From the text that was sent as a signing request to a certificate that may be registered: judged, signed, and looked at again.
import { X509Certificate } from "@peculiar/x509";
import { judgeSigningRequest, type SigningRequest } from "../../x509/signing-request.ts";
import { type CertificateContent, readCertificate } from "../identity/pem.ts";
import type { CertificateIssuer, NotIssued } from "./issuer.ts";

/** A certificate of ours, not registered yet. */
export interface Certified {
  ok: true;
  issuer: CertificateIssuer["name"];
  reference: string | null;
  /** PEM. */
  certificate: string;
  chain: string;
  content: CertificateContent;
}

export interface CertifyOptions {
  csr: string;
  account: string;
  agent: string;
  /** Epoch milliseconds. */
  now: number;
  lifeMs: number;
}

/** Whether a certificate is for the key of the request, whose owner has signed that. */
export function isForKeyOf(request: SigningRequest, pem: string): boolean {
  const [asked, given] = [request.publicKey.rawData, new X509Certificate(pem).publicKey.rawData];
  const bytes = new Uint8Array(given);
  return asked.byteLength === bytes.length && new Uint8Array(asked).every((byte, i) => byte === bytes[i]);
}

export async function certify(
  issuer: CertificateIssuer | undefined,
  { csr, ...subject }: CertifyOptions,
): Promise<Certified | NotIssued> {
  if (issuer === undefined) return { ok: false, reason: "issuer_missing" };
  const judged = await judgeSigningRequest(csr);
  if (!judged.ok) return { ok: false, reason: "signing_request_refused", message: judged.message };
  const issued = await issuer.issue({ request: judged.request, ...subject });
  if (!issued.ok) return issued;
  const { certificate, chain, reference } = issued;
  const content = readCertificate(certificate);
  // What an issuer sends back is looked at like everything else.
  if (content === undefined || !isForKeyOf(judged.request, certificate)) {
    console.error(JSON.stringify({ event: "issuer_failed", issuer: issuer.name, call: "issue", reference }));
    return { ok: false, reason: "issuer_unavailable", ...(reference !== null && { abandoned: reference }) };
  }
  return { ok: true, issuer: issuer.name, reference, certificate, chain, content };
}
