// The issuer of one machine: the development CA, whose key the embedded broker hands to the Worker as a secret.
import { agentNames, clockSkewMs, pemOf, readSigner, signCertificate } from "../../x509/certificate.ts";
import type { CertificateIssuer } from "./issuer.ts";

export interface DevelopmentCaOptions {
  /** PEM: the CA's certificate, and its key in PKCS#8. */
  certificate: string;
  key: string;
}

/** Issues nothing beyond the CA's own end. A CA that cannot be read is a bug of the configuration, and throws. */
export function developmentCa(ca: DevelopmentCaOptions): CertificateIssuer {
  return {
    name: "development",
    issue: async ({ request, account, agent, now, lifeMs }) => {
      const signer = await readSigner(ca, now);
      // The skew must not be most of a short life: clients renew by the dates that they read.
      const notBefore = new Date(now - Math.min(clockSkewMs, lifeMs / 10));
      const notAfter = new Date(Math.min(now + lifeMs, signer.certificate.notAfter.getTime()));
      const content = { ...agentNames(account, agent), publicKey: request.publicKey, notBefore, notAfter };
      const certificate = await signCertificate(signer, { ...content, usage: "clientAuth" });
      return { ok: true, certificate: pemOf(certificate), chain: pemOf(signer.certificate), reference: null };
    },
    // It keeps no book: the registry is the only one.
    revoke: async () => true,
  };
}
