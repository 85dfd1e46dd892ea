// An identity on this machine: a key that is made here and stays here, a certificate for it, and a folder that holds both beside
// the CA to trust and what a program needs to know to connect.
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { clientError } from "../error.ts";
import { makeFolder } from "../folders.ts";
import { type HttpApi, isRefusal } from "../http/http-api.ts";
import type { IssueCertificate, IssuedCertificate } from "../http/operations.ts";
import { settleIdentity, tryFiles, writeIdentity } from "./files.ts";
import { makeKeyAndRequest } from "./signing-request.ts";

/** An agent's identity in its folder. Paths are absolute where the folder's is; `caFile` is null where no CA need be named. */
export interface AgentIdentity {
  agent: string;
  account: string;
  url: string;
  certFile: string;
  keyFile: string;
  caFile: string | null;
  fingerprint: string;
  notAfter: string;
}

export interface CertifyOptions {
  api: HttpApi;
  /** Whom it is for; undefined: whoever the enrolment token says that is the credential of `api`. */
  agent: string | undefined;
  /** The folder of an agent; it is made where it is not there. */
  dirOf: (agent: string) => string;
  days?: number;
}

const recordName = "agent.json";

const makeFolderAt = (dir: string): Promise<boolean> =>
  makeFolder(dir).catch((cause: unknown) => {
    throw clientError("invalid_argument", `The folder ${dir} cannot be made. Name another.`, { cause });
  });

/** Makes the folder of an agent, and keeps its key out of repositories. What else was there before is not ours to ignore. */
async function makeAgentFolder(dir: string): Promise<void> {
  const ignored = (await makeFolderAt(dir)) ? "*\n" : "key.pem\n";
  await writeFile(join(dir, ".gitignore"), ignored, { flag: "wx" }).catch(() => undefined);
}

const filesIn = (dir: string) => ({ certFile: join(dir, "cert.pem"), keyFile: join(dir, "key.pem") });

const unwritable = (dir: string, cause: unknown) =>
  clientError("invalid_argument", `No files can be written to ${dir}. Name another folder.`, { cause });

/** Asks for a certificate; the agent is made when there is none of that name. */
async function ask(api: HttpApi, agent: string | undefined, order: IssueCertificate): Promise<IssuedCertificate> {
  if (agent === undefined) return api.request("POST /v1/enrolments", { body: { csr: order.csr } });
  const issue = () =>
    api.request("POST /v1/agents/{agent_id}/certificates", { path: { agent_id: agent }, body: order });
  try {
    return await issue();
  } catch (error) {
    if (!isRefusal(error, "agent_not_found")) throw error;
  }
  await api.request("POST /v1/agents", { body: { agent_id: agent } }).catch((error: unknown) => {
    // Somebody was quicker.
    if (!isRefusal(error, "agent_exists")) throw error;
  });
  return issue();
}

/**
 * Makes a key, has it certified, and writes `cert.pem`, `key.pem`, `ca.pem` and `agent.json` into the folder (0600). What was there
 * is replaced when the new certificate has come; the old one stays valid. Rejects with the refusal of the broker.
 */
export async function certifyAgent({ api, agent, dirOf, days }: CertifyOptions): Promise<AgentIdentity> {
  const { key, csr } = await makeKeyAndRequest(agent ?? "enrolled");
  // Before anything is asked for: a token works once. Where the folder is named after an agent that only the token knows, the one above.
  const isOwn = agent !== undefined || dirOf("one") === dirOf("another");
  const folder = isOwn ? dirOf(agent ?? "one") : dirname(dirOf("one"));
  await (isOwn ? makeAgentFolder(folder) : makeFolderAt(folder));
  await tryFiles(filesIn(folder), key).catch((cause: unknown) => {
    throw unwritable(folder, cause);
  });
  const issued = await ask(api, agent, { csr, days });
  if (issued.agents_url === null) {
    throw clientError("connection_refused", "The broker does not say where agents connect: set its AGENTS_URL.");
  }
  const dir = dirOf(issued.agent_id);
  await makeAgentFolder(dir);
  const files = filesIn(dir);
  const caFile = issued.broker_ca === null ? null : join(dir, "ca.pem");
  const identity: AgentIdentity = {
    agent: issued.agent_id,
    account: issued.account,
    url: issued.agents_url,
    ...files,
    caFile,
    fingerprint: issued.fingerprint,
    notAfter: issued.not_after,
  };
  try {
    await writeIdentity(files, { cert: issued.certificate, key });
    if (caFile !== null && issued.broker_ca !== null) await writeFile(caFile, issued.broker_ca, { mode: 0o600 });
    const record = { agent: identity.agent, account: identity.account, url: identity.url };
    await writeFile(join(dir, recordName), `${JSON.stringify(record)}\n`, { mode: 0o600 });
  } catch (cause) {
    throw clientError("renewal_failed", `The files of ${issued.agent_id} cannot be written to ${dir}.`, { cause });
  }
  return identity;
}

/** The identity that a folder holds; undefined where it holds none. */
export async function readIdentity(
  dir: string,
): Promise<Pick<AgentIdentity, "agent" | "account" | "url" | "certFile" | "keyFile" | "caFile"> | undefined> {
  const files = filesIn(dir);
  try {
    const record: unknown = JSON.parse(await readFile(join(dir, recordName), "utf8"));
    await settleIdentity(files);
    const { agent, account, url } = record as Record<string, unknown>;
    if (typeof agent !== "string" || typeof account !== "string" || typeof url !== "string") return undefined;
    const ca = join(dir, "ca.pem");
    const caFile = await readFile(ca).then(
      () => ca,
      () => null,
    );
    return { agent, account, url, ...files, caFile };
  } catch {
    return undefined;
  }
}
