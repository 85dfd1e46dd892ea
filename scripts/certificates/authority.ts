// The development CA: made once per state folder, then only read. It signs the local edge's own certificate and those of
// agents. It is for one machine; nothing here is meant to guard a network.

import type { webcrypto } from "node:crypto";
import { chmod, link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { errorCode, Failure, messageOf } from "../failure.ts";

const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 24 * 60 * 60 * 1000;
const authorityDays = 3650;
const serverDays = 397;
const agentDays = 90;
/** Clocks of agents may be a little behind. */
const clockSkewMs = 5 * 60 * 1000;

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
  issueServer(): Promise<Credentials>;
  issueAgent(agentId: string, options?: AgentCertificateOptions): Promise<Credentials>;
}

interface Signer {
  certificate: X509Certificate;
  key: webcrypto.CryptoKey;
}

/** 16 random bytes with the top bit clear and no leading zero: positive, and the same length in every encoding. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => crypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
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
  return { certificate: `${certificate.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
}

async function issue(
  signer: Signer,
  commonName: string,
  validity: { notBefore: Date; notAfter: Date },
  extensions: Extension[],
): Promise<Credentials> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName] }],
    issuer: signer.certificate.subjectName,
    ...validity,
    signingAlgorithm: ecdsa,
    signingKey: signer.key,
    publicKey: keys.publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...extensions,
      // Strict verifiers (Python 3.13's default) want both identifiers.
      await AuthorityKeyIdentifierExtension.create(signer.certificate.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: `${certificate.toString("pem")}\n`, key: await pemOf(keys.privateKey) };
}

async function parse(files: Files, pems: Credentials): Promise<Signer> {
  const damaged = (why: string): Failure =>
    new Failure(
      `The development CA is damaged (${files.certificate}, ${files.key}): ${why}. ` +
        "Restore both files, or remove both to start with a new CA; every agent must then be certified again.",
    );
  try {
    const certificate = new X509Certificate(pems.certificate);
    const key = await crypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(pems.key), ecdsa, true, ["sign"]);
    const probe = new TextEncoder().encode("agentworks");
    const publicKey = await certificate.publicKey.export(ecdsa, ["verify"]);
    if (!(await crypto.subtle.verify(ecdsa, publicKey, await crypto.subtle.sign(ecdsa, key, probe), probe))) {
      throw new Error("the key does not belong to the certificate");
    }
    if (certificate.notAfter.getTime() < Date.now()) throw new Error("the certificate has expired");
    return { certificate, key };
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
  return authorityOf(signer, certificate, files.certificate);
}

function authorityOf(signer: Signer, certificate: string, certificateFile: string): Authority {
  return {
    certificate,
    certificateFile,
    issueServer: () => {
      const now = Date.now();
      const validity = { notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + serverDays * dayMs) };
      return issue(signer, "localhost", validity, [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension([
          { type: "dns", value: "localhost" },
          { type: "ip", value: "127.0.0.1" },
          { type: "ip", value: "::1" },
        ]),
      ]);
    },
    issueAgent: (agentId, options = {}) => {
      const now = Date.now();
      const notBefore = options.notBefore ?? new Date(now - clockSkewMs);
      const notAfter = options.notAfter ?? new Date(now + agentDays * dayMs);
      return issue(signer, agentId, { notBefore, notAfter }, [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
      ]);
    },
  };
}
