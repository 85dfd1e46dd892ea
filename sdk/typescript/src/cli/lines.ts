// The ten lines that connect an agent, in each language, with the paths of its files filled in.
import type { AgentIdentity } from "../certificates/certify.ts";
import { shortTime } from "./output.ts";

export const languages = ["typescript", "python", "ruby"] as const;
export type Language = (typeof languages)[number];

type Places = Pick<AgentIdentity, "agent" | "url" | "certFile" | "keyFile" | "caFile">;

/** A string literal that all three languages read alike: JSON's, and `#` is Ruby's way into a string. */
const literal = (value: string) => JSON.stringify(value).replaceAll("#", "\\u0023");

const typescript = ({ url, certFile, keyFile, caFile }: Places): string => `import { connect } from "agentworks";

const agent = await connect({
  url: ${literal(url)},
  certFile: ${literal(certFile)},
  keyFile: ${literal(keyFile)},${caFile === null ? "" : `\n  caFile: ${literal(caFile)},`}
  renew: true, // the certificate renews itself
});
await agent.handle("count", (text) => String(text).split(/\\s+/).length);
`;

const python = ({ url, certFile, keyFile, caFile }: Places): string => `import asyncio
import agentworks

async def main():
    async with await agentworks.connect(
        url=${literal(url)},
        certificate=${literal(certFile)},
        key=${literal(keyFile)},${caFile === null ? "" : `\n        ca=${literal(caFile)},`}
        renew=True,  # the certificate renews itself; needs the package cryptography
    ) as agent:
        agent.handle("count", lambda text: len(text.split()))
        await agent.serve_forever()

asyncio.run(main())
`;

const ruby = ({ url, certFile, keyFile, caFile }: Places): string => `require "agentworks"

Agentworks.connect(
  url: ${literal(url)},
  certificate: ${literal(certFile)},
  key: ${literal(keyFile)},${caFile === null ? "" : `\n  ca: ${literal(caFile)},`}
  renew: true # the certificate renews itself
) do |agent|
  agent.handle("count") { |text| text.split.length }
  agent.serve
end
`;

const writers: Record<Language, (places: Places) => string> = { typescript, python, ruby };

export const connectingLines = (language: Language, places: Places): string => writers[language](places);

/** An identity as `--json` shows it, named like the API's answers. */
export const identityRecord = ({ agent, account, url, certFile, keyFile, caFile }: Places & { account: string }) => ({
  agent_id: agent,
  account,
  agents_url: url,
  cert_file: certFile,
  key_file: keyFile,
  ca_file: caFile,
});

/** The same of one that was made just now. */
export const newIdentityRecord = (identity: AgentIdentity) => ({
  ...identityRecord(identity),
  fingerprint: identity.fingerprint,
  not_after: identity.notAfter,
});

/** What a person reads after an identity was made. */
export function identityText({ agent, notAfter, certFile, keyFile, caFile, url }: AgentIdentity): string {
  return `${agent} may connect to ${url} until ${shortTime(notAfter)} UTC.

  certificate  ${certFile}
  key          ${keyFile}
  CA           ${caFile ?? "any public one"}

Run it:  agentworks agent run FILE --agent ${agent}
Or see the lines that connect it:  agentworks agent run --agent ${agent}
`;
}
