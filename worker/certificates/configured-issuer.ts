// Which issuer this Worker has, by its configuration.
import type { Env } from "../env.ts";
import { cloudflareIssuer } from "./cloudflare.ts";
import { developmentCa } from "./development-ca.ts";
import type { CertificateIssuer } from "./issuer.ts";

const cloudflareApi = "https://api.cloudflare.com/client/v4";

/** @returns undefined when none is configured: then certificates can only be registered */
export function configuredIssuer(env: Env): CertificateIssuer | undefined {
  if (env.CLOUDFLARE_ZONE_ID && env.CLOUDFLARE_API_TOKEN) {
    const api = env.CLOUDFLARE_API_URL ?? cloudflareApi;
    return cloudflareIssuer({ api, zone: env.CLOUDFLARE_ZONE_ID, token: env.CLOUDFLARE_API_TOKEN });
  }
  if (env.CA_CERTIFICATE && env.CA_KEY) return developmentCa({ certificate: env.CA_CERTIFICATE, key: env.CA_KEY });
  return undefined;
}
