// The two files of an agent's identity, certificate and key, replaced so that no moment leaves a pair that cannot be used, however
// many processes replace them and wherever one dies: the key's file has the key's certificate, too, and is replaced in one step; the
// certificate's file follows. Whoever finds a certificate there that is not the key's takes the one that is with the key.
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

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

/** A draft that is older was left by a process that died. */
const draftMsMax = 10 * 60 * 1000;
const draftName = /^\.[0-9a-f]{16}\.new$/;

/** Readable by its owner alone, on the disk before anything is given up for it, and by a name that no other process writes to. */
async function draft(file: string, text: string): Promise<string> {
  const path = `${file}.${randomBytes(8).toString("hex")}.new`;
  try {
    const handle = await open(path, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** Its renames so far are on the disk. Not every system can say so of a folder. */
async function syncFolderOf(file: string): Promise<void> {
  const folder = await open(dirname(file), "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** Shows that there is room and the right to write, before anything depends on it. Throws what the file system says. */
export async function tryFiles({ certFile, keyFile }: IdentityFiles, key: string): Promise<void> {
  // As long as what will come: a certificate is about as long as its request, or a little longer.
  for (const file of [keyFile, certFile]) await rm(await draft(file, key.repeat(16)));
}

/** Replaces both, mode 0600. Throws what the file system says. */
export async function writeIdentity({ certFile, keyFile }: IdentityFiles, { cert, key }: Identity): Promise<void> {
  const drafts: string[] = [];
  try {
    const keyDraft = await draft(keyFile, `${key.trimEnd()}\n${cert}`);
    drafts.push(keyDraft);
    const certDraft = await draft(certFile, cert);
    drafts.push(certDraft);
    await rename(keyDraft, keyFile);
    // A certificate without its key is the one thing that nobody could use.
    await syncFolderOf(keyFile);
    await rename(certDraft, certFile);
  } finally {
    await Promise.all(drafts.map((path) => rm(path, { force: true })));
  }
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/;

function isPair(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Whose it says it is: the same in every certificate of an agent, whoever issued it. */
export const commonNameOf = (certificate: X509Certificate): string => /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? "";

function areOfOneAgent(one: string, other: string): boolean {
  try {
    return commonNameOf(new X509Certificate(one)) === commonNameOf(new X509Certificate(other));
  } catch {
    return false;
  }
}

/**
 * The certificate that belongs to the key: the one that is with it, where the other is an older one of the same agent. Files of two
 * agents are nobody's pair.
 * @param keyText of the key's file, which was read after the certificate's
 */
export function certificateOf(cert: string, keyText: string): string {
  const inside = certificateBlock.exec(keyText)?.[0];
  if (inside === undefined || isPair(cert, keyText) || !isPair(inside, keyText)) return cert;
  return cert === "" || areOfOneAgent(cert, inside) ? inside : cert;
}

/** What the files hold; undefined where that is no pair. */
export async function readPair({ certFile, keyFile }: IdentityFiles): Promise<Identity | undefined> {
  try {
    // In this order: a new certificate comes after its key.
    const [beside, key] = [await readFile(certFile, "utf8").catch(() => ""), await readFile(keyFile, "utf8")];
    const cert = certificateOf(beside, key);
    return isPair(cert, key) ? { cert, key } : undefined;
  } catch {
    return undefined;
  }
}

async function removeOldDrafts(file: string): Promise<void> {
  const folder = dirname(file);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(file)) || !draftName.test(name.slice(basename(file).length))) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > draftMsMax) await rm(path, { force: true });
  }
}

/**
 * Finishes a replacement that was cut short between its two files, and removes what processes that died left behind. Where that cannot
 * be done nothing is said: the pair can be read all the same.
 */
export async function settleIdentity({ certFile, keyFile }: IdentityFiles): Promise<void> {
  const pair = await readPair({ certFile, keyFile });
  try {
    if (pair !== undefined && pair.cert !== (await readFile(certFile, "utf8").catch(() => ""))) {
      await rename(await draft(certFile, pair.cert), certFile);
    }
    for (const file of [certFile, keyFile]) await removeOldDrafts(file);
  } catch {
    // The next one tries again.
  }
}
