// npm start: the embedded broker in the foreground, until Ctrl-C.

import { relative } from "node:path";
import { type Broker, startBroker } from "./broker/broker.ts";
import { defaultStateDir, replaceFile } from "./broker/state-folder.ts";
import { portOf, readCommandLine } from "./command-line.ts";
import { Failure, messageOf, runCommand } from "./failure.ts";

const usage = `Usage: npm start -- [flags]

Runs the embedded broker until Ctrl-C: agents connect by WebSocket and mutual TLS, tools by HTTP.

  --agents-port PORT  agents' port (default 8443; 0 takes any free one)
  --api-port PORT     API port (default 8787; 0 takes any free one)
  --state DIR         where the CA, the registry and the sessions are kept (default ${defaultStateDir})
  --client-ca FILE    a CA of your own (PEM) whose agents are let in too, once their certificates are registered
                      (scripts/generate_ca.sh, scripts/generate_agent_cert.sh, npx agentworks agent create ID --certificate FILE)
  --ready-file FILE   when ready, write {agentsUrl, apiUrl, caFile, stateDir} as JSON to FILE
  --help              this text`;

/** The link of this start. An owner that was removed since signs in no more, and the broker runs all the same. */
async function linkOf(broker: Broker): Promise<string> {
  return broker.signInLink().catch((error: unknown) => `none: ${messageOf(error)}`);
}

async function greet(broker: Broker): Promise<void> {
  const { agentsUrl, apiUrl, caFile, stateDir } = broker;
  const state = relative(process.cwd(), stateDir) === defaultStateDir ? "" : ` --state ${stateDir}`;
  console.log(`agentworks is running (Ctrl-C stops it).

  agents  ${agentsUrl}  (mutual TLS)
  API     ${apiUrl}
  state   ${stateDir}
  CA      ${caFile}

Sign in (once, within ten minutes; the browser asks whether to trust this folder's CA):

  ${await linkOf(broker)}

In another terminal, give an agent its identity and see how it connects:

  npx agentworks agent create planner${state}
  npx agentworks agent run --agent planner${state}
`);
}

/** A broker whose folder is gone goes on saying that things are stored: it must not. */
async function untilLost({ folder, stateDir }: Broker): Promise<never> {
  await folder.untilLost();
  throw new Failure(
    `The state folder ${stateDir} was removed, moved away or taken while the broker ran, so nothing can be stored any more: it has ended. Put the folder back, or name another with --state, and start it again.`,
  );
}

async function untilSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => resolve());
    }
  });
}

await runCommand(async () => {
  const { values, positionals } = readCommandLine(usage, {
    "agents-port": { type: "string", default: "8443" },
    "api-port": { type: "string", default: "8787" },
    state: { type: "string", default: defaultStateDir },
    "client-ca": { type: "string" },
    "ready-file": { type: "string" },
  });
  if (positionals.length > 0) throw new Failure(`npm start takes no argument "${positionals[0]}".\n\n${usage}`);
  const clientCaFile = values["client-ca"];
  // Listening from the start: a Ctrl-C while it starts ends it in order, too.
  const stop = untilSignal();
  const broker = await startBroker({
    agentsPort: portOf("--agents-port", values["agents-port"]),
    apiPort: portOf("--api-port", values["api-port"]),
    stateDir: values.state,
    ...(clientCaFile === undefined ? {} : { clientCaFile }),
  });
  try {
    const { agentsUrl, apiUrl, caFile, stateDir } = broker;
    const readyFile = values["ready-file"];
    if (readyFile !== undefined) {
      await replaceFile(readyFile, `${JSON.stringify({ agentsUrl, apiUrl, caFile, stateDir })}\n`, 0o644).catch(
        (error: unknown) => {
          throw new Failure(`Cannot write the ready file ${readyFile}: ${messageOf(error)}.`);
        },
      );
    }
    await greet(broker);
    await Promise.race([stop, untilLost(broker)]);
  } finally {
    await broker.close();
  }
});
// Miniflare keeps handles open for a while after its end; there is nothing left to wait for.
process.exit();
