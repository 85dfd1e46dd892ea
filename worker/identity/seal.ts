// Sealing a text with the credential of whoever may read it again: AES-GCM under a key that HKDF makes of the credential, which is
// stored nowhere. Who takes the database alone can read nothing that was sealed by a bearer credential.

const encoder = new TextEncoder();

async function keyOf(credential: string, salt: string): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(credential), "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: encoder.encode(salt), info: encoder.encode("agentworks sealed answer") },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

const toBase64 = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** @param salt what the text belongs to: it opens nowhere else */
export async function seal(text: string, credential: string, salt: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const key = await keyOf(credential, salt);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, encoder.encode(text));
  return `${toBase64(iv)}.${toBase64(new Uint8Array(sealed))}`;
}

/** @returns undefined where it was sealed by another credential, or is damaged */
export async function unseal(sealed: string, credential: string, salt: string): Promise<string | undefined> {
  try {
    const [iv = "", data = ""] = sealed.split(".");
    const key = await keyOf(credential, salt);
    const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv: fromBase64(iv) }, key, fromBase64(data));
    return new TextDecoder().decode(text);
  } catch {
    return undefined;
  }
}
