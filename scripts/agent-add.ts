// npm run agent:add: an identity for one agent at the running embedded broker.

import { defaultStateDir } from "./broker/state-folder.ts";
import { type CertifiedAgent, certifyAgent, registerCertificate } from "./certificates/certify.ts";
import { readCommandLine } from "./command-line.ts";
import { Failure, runCommand } from "./failure.ts";

const usage = `Usage: npm run agent:add -- AGENT_ID [flags]

Certifies an agent with the development CA of the running broker, and registers the certificate there.
Again for the same agent: a new certificate; older ones stay registered until they expire.

  --state DIR         state folder of the broker (default ${defaultStateDir})
  --certificate FILE  register this certificate (PEM) instead of issuing one; start the broker with --client-ca
  --json              print one JSON object instead of text
  --help              this text`;

function print(agent: CertifiedAgent): void {
  const key = agent.keyFile ?? "the private key of that certificate";
  console.log(`${agent.agentId} is registered; its certificate is valid until ${agent.notAfter}.

  CA           ${agent.caFile}
  certificate  ${agent.certificateFile}
  key          ${key}
  fingerprint  ${agent.fingerprint}

Try it:

  curl --cacert ${agent.caFile} --cert ${agent.certificateFile} --key ${agent.keyFile ?? "KEY"} ${agent.agentsUrl.replace("wss:", "https:")}/v1/agents

Connect an agent to ${agent.agentsUrl} with these three files (README, "Twenty lines").`);
}

await runCommand(async () => {
  const { values, positionals } = readCommandLine(usage, {
    state: { type: "string", default: defaultStateDir },
    certificate: { type: "string" },
    json: { type: "boolean", default: false },
  });
  const [agentId, ...rest] = positionals;
  if (agentId === undefined || rest.length > 0) throw new Failure(`Name one agent.\n\n${usage}`);
  const certificateFile = values.certificate;
  const agent =
    certificateFile === undefined
      ? await certifyAgent({ stateDir: values.state, agentId })
      : await registerCertificate({ stateDir: values.state, agentId, certificateFile });
  if (values.json) console.log(JSON.stringify(agent));
  else print(agent);
});
