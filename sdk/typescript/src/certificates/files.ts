// The two files of an agent's identity, certificate and key, replaced so that no moment leaves a pair that does not fit for
// good: what a process that died in the midst of it left behind, the next one puts right.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, open, readFile, rename, rm } from "node:fs/promises";

/** Paths. */
export interface IdentityFiles {
  certFile: string;
  keyFile: string;
}

/** PEM texts. */
export interface Identity {
  cert: string;
  key: string;
}

const draftOf = (file: string) => `${file}.new`;

/** Readable by its owner alone, and on the disk before anything is given up for it. */
async function draft(file: string, text: string): Promise<void> {
  const handle = await open(draftOf(file), "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // One that was there kept the mode it had.
  await chmod(draftOf(file), 0o600);
}

/** Shows that there is room and the right to write, before anything depends on it. */
export const draftKey = ({ keyFile }: IdentityFiles, key: string): Promise<void> => draft(keyFile, key);

/** Replaces both, mode 0600. Throws what the file system says. */
export async function writeIdentity({ certFile, keyFile }: IdentityFiles, { cert, key }: Identity): Promise<void> {
  try {
    await draft(certFile, cert);
    await draft(keyFile, key);
  } catch (error) {
    await Promise.all([certFile, keyFile].map((file) => rm(draftOf(file), { force: true })));
    throw error;
  }
  // The key first: a certificate's draft beside a key that it fits is what `settleIdentity` looks for.
  await rename(draftOf(keyFile), keyFile);
  await rename(draftOf(certFile), certFile);
}

const textOf = (file: string) => readFile(file, "utf8").catch(() => undefined);

function fits(cert: string | undefined, key: string | undefined): boolean {
  if (cert === undefined || key === undefined) return false;
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Finishes a replacement that was cut short between its two files, and removes drafts that came to nothing. */
export async function settleIdentity({ certFile, keyFile }: IdentityFiles): Promise<void> {
  const [cert, key, drafted] = await Promise.all([textOf(certFile), textOf(keyFile), textOf(draftOf(certFile))]);
  if (drafted !== undefined && !fits(cert, key) && fits(drafted, key)) await rename(draftOf(certFile), certFile);
  await Promise.all([certFile, keyFile].map((file) => rm(draftOf(file), { force: true })));
}
