// The form of every secret that we hand out to be sent as `Authorization: Bearer …`: `<kind>_<id>_<secret>`. The id is looked up
// and may be shown; the secret is never stored: only its SHA-256 is.

/** A credential whose form is right. Nothing is proven by that. */
export interface ReadCredential {
  id: string;
  secret: string;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** 80 bits of dice, 16 of a–z and 2–7: the ids of what is made here. */
export const mintId = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => alphabet[byte & 31]).join("");

/** One kind of credential: how it is read, shown and made. */
export function credentialForm(kind: string) {
  const shape = new RegExp(`^${kind}_([a-z2-7]{16})_([A-Za-z0-9_-]{43})$`);
  /** How every credential of that id begins. */
  const prefix = (id: string): string => `${kind}_${id}_`;
  return {
    prefix,
    /** @returns undefined where the text is none of this kind; then nothing need be looked up */
    read(text: string): ReadCredential | undefined {
      const [, id, secret] = shape.exec(text) ?? [];
      return id === undefined || secret === undefined ? undefined : { id, secret };
    },
    /** A new one: 80 bits of id, 256 bits of secret. */
    mint(): ReadCredential & { text: string } {
      const id = mintId();
      const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
      return { id, secret, text: `${prefix(id)}${secret}` };
    },
  };
}

/** For programs, with the scopes that they were given. */
export const apiKeyForm = credentialForm("aw");
/** For machines without an API key: one certificate for one agent, once. */
export const enrolmentTokenForm = credentialForm("awe");

/** For people: a membership in one account, once. */
export const invitationForm = credentialForm("awi");

/** SHA-256 of a secret, 64 lower-case hex digits. The secret has 256 bits of dice: it needs neither salt nor a slow hash. */
export async function hashSecret(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
