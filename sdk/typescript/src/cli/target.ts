// Which API a command asks, and by which credential. A credential goes to the API that it is for, and to no other.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { apiUrl, HttpApi } from "../http/http-api.ts";
import { noProfile, readProfiles } from "./profiles.ts";
import { CredentialsMissing, UsageError } from "./usage.ts";

export interface TargetOptions {
  api?: string | undefined;
  profile?: string | undefined;
  /** The state folder of an embedded broker. */
  state: string;
  /** Ends every request. */
  signal: AbortSignal;
}

export interface Target {
  api: HttpApi;
  /** The same, which no signal ends: it takes back what a command that was interrupted had made. */
  undoing: HttpApi;
  /** Who is asked, for people. */
  name: string;
  /** The folder in which agents' identities are kept. */
  agentsDir: string;
  /** PEM: the CAs whose agents an embedded broker lets in; undefined for any other. */
  clientCas: string[] | undefined;
}

/** What `broker.json` in the state folder says of the broker that runs on it. */
interface BrokerRecord {
  pid: number;
  apiUrl: string;
  adminToken: string;
  /** A key with every scope in its account; a broker that is no registry has none. */
  apiKey?: string;
  clientCas: string[];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** The embedded broker of a state folder; undefined where none runs. */
async function embeddedBroker(state: string): Promise<BrokerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(join(state, "broker.json"), "utf8")) as BrokerRecord;
    return typeof record.adminToken === "string" && isAlive(record.pid) ? record : undefined;
  } catch {
    return undefined;
  }
}

const howTo =
  "Start a broker here (`npm start`), log in (`agentworks login --api URL`), or set AGENTWORKS_API_KEY and AGENTWORKS_API.";

/**
 * By order: `--profile`; `--api` or AGENTWORKS_API with the key that belongs to it; the broker that runs in this folder; the profile
 * of the last login. AGENTWORKS_API_KEY is a key for the API that was named, or that of the profile.
 */
export async function findTarget(options: TargetOptions, env: NodeJS.ProcessEnv): Promise<Target> {
  const state = resolve(options.state);
  const agentsDir = join(state, "agents");
  const broker = await embeddedBroker(state);
  const { current, profiles } = await readProfiles(env);
  const envKey = env.AGENTWORKS_API_KEY || undefined;
  const of = (url: string, credential: string, clientCas?: string[]): Target => {
    const api = new HttpApi({ url, credential, signal: options.signal });
    const undoing = new HttpApi({ url, credential, timeoutMs: 5_000 });
    return { api, undoing, name: api.url, agentsDir, clientCas };
  };
  const ofBroker = ({ apiUrl: url, apiKey, adminToken, clientCas }: BrokerRecord) =>
    of(url, envKey ?? apiKey ?? adminToken, clientCas);

  if (options.profile !== undefined) {
    const profile = profiles[options.profile];
    if (profile === undefined) {
      throw new UsageError(noProfile(options.profile, profiles));
    }
    return of(profile.api, envKey ?? profile.key);
  }
  const named = options.api ?? env.AGENTWORKS_API;
  if (named !== undefined) {
    const { origin } = apiUrl(named);
    if (broker !== undefined && apiUrl(broker.apiUrl).origin === origin) return ofBroker(broker);
    const known = Object.values(profiles).find(({ api }) => apiUrl(api).origin === origin);
    const key = envKey ?? known?.key;
    if (key !== undefined) return of(named, key);
    throw new CredentialsMissing(
      `There is no key for ${named}: run \`agentworks login --api ${named}\`, or set AGENTWORKS_API_KEY.`,
    );
  }
  if (broker !== undefined) return ofBroker(broker);
  const profile = profiles[current];
  if (profile !== undefined) return of(profile.api, envKey ?? profile.key);
  throw new CredentialsMissing(`No broker runs on ${state}, and nobody is logged in. ${howTo}`);
}
