// A certificate that a CA of one's own issued: registered, after a look at what the broker would not let in.
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RegisteredCertificate } from "../http/operations.ts";
import type { Target } from "./target.ts";
import { UsageError } from "./usage.ts";

/** The certificates of a PEM bundle, in order. Throws when a block does not parse. */
function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

const nameOf = (name: string | undefined) => (name ?? "nobody").replaceAll("\n", ", ");

/** An embedded edge lets nobody in by such a certificate: better said now than by its refusal. */
function checkIssuer(clientCas: readonly string[], agent: string, file: string, certificate: X509Certificate): void {
  if (certificate.ca) {
    throw new UsageError(
      `${file} is the certificate of a CA (${nameOf(certificate.subject)}), not of an agent: name the one that this CA issued for ${agent}.`,
    );
  }
  const isIssuer = (ca: X509Certificate) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  if (clientCas.flatMap(certificatesIn).some(isIssuer)) return;
  throw new UsageError(
    `${file} was issued by ${nameOf(certificate.issuer)}, a CA that the broker does not trust: start it again with ` +
      "`npm start -- --client-ca FILE`, where FILE is the certificate of that CA, then register again.",
  );
}

export async function registerFile(target: Target, agent: string, file: string): Promise<RegisteredCertificate> {
  let pem: string;
  let found: X509Certificate[];
  try {
    pem = await readFile(file, "utf8");
    found = certificatesIn(pem);
  } catch (error) {
    throw new UsageError(`The certificate ${file} cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
  // It would leave this machine, where it belongs.
  if (pem.includes("PRIVATE KEY-----")) {
    throw new UsageError(
      `${file} holds a private key, so nothing was sent: name a file that holds the certificate alone.`,
    );
  }
  const [certificate, ...more] = found;
  // What is not one certificate, the broker says.
  if (target.clientCas !== undefined && certificate !== undefined && more.length === 0) {
    checkIssuer(target.clientCas, agent, file, certificate);
  }
  return target.api.request("POST /v1/certificates", { body: { agent_id: agent, certificate: pem } });
}
