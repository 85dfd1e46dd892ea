// What of node:crypto the Worker uses, as workerd has it under `nodejs_compat`. All of @types/node would put Node's
// globals, which are not those of workerd, into the Worker's types.
declare module "node:crypto" {
  export class X509Certificate {
    constructor(pem: string);
    /** Upper-case hex pairs with colons. */
    readonly fingerprint256: string;
    readonly serialNumber: string;
    /** `TYPE=value`, one a line; undefined when the subject is empty. */
    readonly subject: string | undefined;
    /** `Mar 21 13:35:00 2022 GMT`. */
    readonly validFrom: string;
    readonly validTo: string;
  }

  /** `maxmem` in bytes. */
  export function scrypt(
    password: string,
    salt: string,
    keyBytes: number,
    options: { N: number; r: number; p: number; maxmem: number },
    callback: (error: Error | null, key: Uint8Array) => void,
  ): void;
}
