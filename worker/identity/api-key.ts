// The form of an API key, `aw_<id>_<secret>`: made here, read here. The secret is never stored: only its SHA-256 is.

/** A key whose form is right. Nothing is proven by that. */
export interface ReadKey {
  id: string;
  secret: string;
}

const shape = /^aw_([a-z2-7]{16})_([A-Za-z0-9_-]{43})$/;
const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** @returns undefined where the text is no API key; then nothing need be looked up */
export function readApiKey(text: string): ReadKey | undefined {
  const [, id, secret] = shape.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** How every key of that id begins. */
export const apiKeyPrefix = (id: string): string => `aw_${id}_`;

/** A new key: 80 bits of id, 256 bits of secret. */
export function mintApiKey(): ReadKey & { key: string } {
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => alphabet[byte & 31]).join("");
  const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
  return { id, secret, key: `${apiKeyPrefix(id)}${secret}` };
}

/** SHA-256 of a secret, 64 lower-case hex digits. The secret has 256 bits of dice: it needs neither salt nor a slow hash. */
export async function hashSecret(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
