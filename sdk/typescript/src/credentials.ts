// Certificate, key and CA of an agent: given as PEM, or as files to read. Nothing else is read from the disk.
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { certificateOf } from "./certificates/files.ts";
import { clientError } from "./error.ts";

/** PEM text, or its bytes. */
export type Pem = string | Uint8Array;

export interface Credentials {
  cert: Pem;
  key: Pem;
  ca?: Pem;
}

/** One of the two for each: the PEM itself, or the path of a file that holds it. */
export interface CredentialOptions {
  /** The agent's certificate. */
  cert?: Pem;
  /** Its private key. */
  key?: Pem;
  /** The CA that signed the broker's certificate; without one, the system's CAs are trusted. */
  ca?: Pem;
  certFile?: string;
  keyFile?: string;
  caFile?: string;
}

async function pemOf(options: CredentialOptions, name: "cert" | "key" | "ca"): Promise<Pem | undefined> {
  const given = options[name];
  if (given !== undefined) return given;
  const file = options[`${name}File`];
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw clientError("invalid_argument", `${name}File ${file} cannot be read.`, { cause: error });
  }
}

const textOf = (pem: Pem) => (typeof pem === "string" ? pem : Buffer.from(pem).toString("utf8"));

const buffered = (pem: Pem) => (typeof pem === "string" ? pem : Buffer.from(pem));

/** As Node's TLS takes them. */
export const asTlsOptions = ({ cert, key, ca }: Credentials) => ({
  cert: buffered(cert),
  key: buffered(key),
  ...(ca !== undefined && { ca: buffered(ca) }),
});

/**
 * Reads what is given as files. Throws invalid_argument when certificate or key is missing, does not fit the other, is no
 * PEM, or cannot be read.
 */
export async function readCredentials(options: CredentialOptions): Promise<Credentials> {
  // In this order: a program that renews them writes the key first.
  const [given, key, ca] = [await pemOf(options, "cert"), await pemOf(options, "key"), await pemOf(options, "ca")];
  if (given === undefined || key === undefined) {
    throw clientError(
      "invalid_argument",
      "Give `cert` and `key` (or `certFile` and `keyFile`): mutual TLS needs both.",
    );
  }
  const fromFiles = options.cert === undefined && options.key === undefined;
  const cert = fromFiles ? certificateOf(textOf(given), textOf(key)) : given;
  const credentials = { cert, key, ...(ca !== undefined && { ca }) };
  try {
    createSecureContext(asTlsOptions(credentials));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw clientError("invalid_argument", `Certificate, key or CA cannot be used: ${why}.`, { cause: error });
  }
  return credentials;
}
