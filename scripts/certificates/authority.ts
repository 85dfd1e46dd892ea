// The development CA: made once per state folder, then only read. It signs the local edge's own certificate and those of
// agents. It is for one machine; nothing here is meant to guard a network.

import { chmod, link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  PublicKey,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { defaultAccount } from "../../schema/http.ts";
import {
  agentNames,
  clockSkewMs,
  ecdsa,
  type Key,
  pemOf,
  readSigner,
  type Signer,
  serialNumber,
  signCertificate,
} from "../../x509/certificate.ts";
import { errorCode, Failure, messageOf } from "../failure.ts";

const dayMs = 24 * 60 * 60 * 1000;
const authorityDays = 3650;
const serverDays = 397;
const agentDays = 90;

/** A certificate and its private key, both PEM. */
export interface Credentials {
  certificate: string;
  key: string;
}

export interface AgentCertificateOptions {
  /** Default: five minutes ago. */
  notBefore?: Date;
  /** Default: 90 days after now. */
  notAfter?: Date;
}

export interface Authority {
  /** PEM. Agents verify the edge by it, and the edge verifies agents by it. */
  readonly certificate: string;
  /** Path of that PEM. */
  readonly certificateFile: string;
  /** PEM of its key: for the Worker, which signs the requests of agents. */
  readonly key: string;
  issueServer(): Promise<Credentials>;
  /** With a key made here: for tests, which want certificates that the API would not issue. */
  issueAgent(agentId: string, options?: AgentCertificateOptions): Promise<Credentials>;
}

const newKeys = () => crypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);

async function keyPem(key: Key): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

async function createAuthority(): Promise<Credentials> {
  const keys = await newKeys();
  const now = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ["agentworks development CA"] }],
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + authorityDays * dayMs),
    signingAlgorithm: ecdsa,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

/** A certificate for a key that is made here. */
async function issue(
  signer: Signer,
  content: Omit<Parameters<typeof signCertificate>[1], "publicKey">,
): Promise<Credentials> {
  const keys = await newKeys();
  const certificate = await signCertificate(signer, { ...content, publicKey: await PublicKey.create(keys.publicKey) });
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
}

async function parse(files: Files, pems: Credentials): Promise<Signer> {
  const damaged = (why: string): Failure =>
    new Failure(
      `The development CA is damaged (${files.certificate}, ${files.key}): ${why}. ` +
        "Restore both files, or remove both to start with a new CA; every agent must then be certified again.",
    );
  try {
    return await readSigner(pems, Date.now());
  } catch (error) {
    throw damaged(messageOf(error));
  }
}

interface Files {
  certificate: string;
  key: string;
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new Failure(
      `Cannot read ${file} of the development CA: ${messageOf(error)}. Restore it, or remove ca.pem and ca.key to start with a new CA.`,
    );
  });
}

/** Puts a file in place whole or not at all, and never over an existing one. */
async function place(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, text, { mode });
  await chmod(draft, mode);
  try {
    await link(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * The CA of a state folder, made if there is none yet (`ca.pem`, `ca.key` with mode 0600).
 * Throws a Failure when the files are unreadable, do not fit each other, or have expired.
 */
export async function openAuthority(stateDir: string): Promise<Authority> {
  const files = { certificate: join(stateDir, "ca.pem"), key: join(stateDir, "ca.key") };
  let [certificate, key] = await Promise.all([readIfThere(files.certificate), readIfThere(files.key)]);
  // A key without its certificate is a start that was killed half-way: nothing was signed by it.
  if (certificate === undefined) {
    const created = await createAuthority();
    await rm(files.key, { force: true });
    await place(files.key, created.key, 0o600);
    await place(files.certificate, created.certificate, 0o644);
    ({ certificate, key } = created);
  }
  if (key === undefined) {
    throw new Failure(
      `${files.key} is missing beside ${files.certificate}: restore it, or remove the certificate too to start with a new CA.`,
    );
  }
  const signer = await parse(files, { certificate, key });
  return authorityOf(signer, { certificate, key }, files.certificate);
}

function authorityOf(signer: Signer, pems: Credentials, certificateFile: string): Authority {
  return {
    ...pems,
    certificateFile,
    issueServer: () => {
      const now = Date.now();
      return issue(signer, {
        subject: [{ CN: ["localhost"] }],
        notBefore: new Date(now - clockSkewMs),
        notAfter: new Date(now + serverDays * dayMs),
        usage: "serverAuth",
        alternativeNames: [
          { type: "dns", value: "localhost" },
          { type: "ip", value: "127.0.0.1" },
          { type: "ip", value: "::1" },
        ],
      });
    },
    issueAgent: (agentId, options = {}) => {
      const now = Date.now();
      const notBefore = options.notBefore ?? new Date(now - clockSkewMs);
      const notAfter = options.notAfter ?? new Date(now + agentDays * dayMs);
      return issue(signer, { ...agentNames(defaultAccount, agentId), notBefore, notAfter, usage: "clientAuth" });
    },
  };
}
