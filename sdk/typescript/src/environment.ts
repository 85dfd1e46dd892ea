// The identity that `agentworks agent run` hands to a program, by environment variables: paths, no secrets.
import type { ConnectOptions } from "./api.ts";
import { clientError } from "./error.ts";

export const variables = {
  url: "AGENTWORKS_URL",
  certFile: "AGENTWORKS_CERT_FILE",
  keyFile: "AGENTWORKS_KEY_FILE",
  caFile: "AGENTWORKS_CA_FILE",
} as const;

/**
 * The options for `connect` of a program that was started by `agentworks agent run`: whose agent it is stands in no line of it. The
 * certificate is renewed by itself. Throws invalid_argument, with what to do, when the variables are not set.
 */
export function fromEnvironment(env: NodeJS.ProcessEnv = process.env): ConnectOptions & { url: string } {
  const [url, certFile, keyFile] = [env[variables.url], env[variables.certFile], env[variables.keyFile]];
  if (!url || !certFile || !keyFile) {
    throw clientError(
      "invalid_argument",
      `${variables.url}, ${variables.certFile} and ${variables.keyFile} are not all set: start the program by \`agentworks agent run FILE\`, or give connect() its files.`,
    );
  }
  const caFile = env[variables.caFile];
  return { url, certFile, keyFile, renew: true, ...(caFile && { caFile }) };
}
