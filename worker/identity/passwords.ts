// Passwords at rest: scrypt, whose parameters stand in each hash, so that they can be raised without anybody's doing. It is the
// platform's own (`node:crypto`): better-auth's default is chosen by how it is bundled, and would be a script in a Worker.
import { scrypt } from "node:crypto";
import { equalInConstantTime } from "./secrets.ts";

/** N=2^14, r=8, p=5: 16 MiB and about a fifth of a second. OWASP's own equivalent of more memory, of which an isolate has little. */
const cost = { N: 16_384, r: 8, p: 5 };
const keyBytes = 32;
const saltBytes = 16;

const toHex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Unicode writes the same letters in several ways; keyboards differ in which. */
function derive(password: string, salt: string, parameters: typeof cost): Promise<string> {
  const { N, r } = parameters;
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFKC"), salt, keyBytes, { ...parameters, maxmem: 256 * N * r }, (error, key) =>
      error === null ? resolve(toHex(key)) : reject(error),
    );
  });
}

const shape = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{32})\$([0-9a-f]{64})$/;

/** @returns `scrypt$N$r$p$salt$key`, salt and key in hex */
export async function hashPassword(password: string): Promise<string> {
  const salt = toHex(crypto.getRandomValues(new Uint8Array(saltBytes)));
  return ["scrypt", cost.N, cost.r, cost.p, salt, await derive(password, salt, cost)].join("$");
}

/** Whether the password is the one that was hashed. A hash of another form is nobody's. */
export async function verifyPassword({ hash, password }: { hash: string; password: string }): Promise<boolean> {
  const [, N, r, p, salt, key] = shape.exec(hash) ?? [];
  if (salt === undefined || key === undefined) return false;
  return equalInConstantTime(key, await derive(password, salt, { N: Number(N), r: Number(r), p: Number(p) }));
}
