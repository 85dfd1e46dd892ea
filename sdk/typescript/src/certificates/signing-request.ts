// A private key, and a certificate signing request for it (PKCS#10, RFC 2986): written here in DER, because Node makes keys and
// signatures but no requests. The key never leaves the machine; the request proves that whoever sends it has the key.
import { generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";

/** PEM texts. The key is PKCS#8. */
export interface KeyAndRequest {
  key: string;
  csr: string;
}

const tags = { integer: 0x02, bitString: 0x03, oid: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31, attributes: 0xa0 };

const oids = {
  commonName: Buffer.from("550403", "hex"),
  ecdsaWithSha256: Buffer.from("2a8648ce3d040302", "hex"),
};

/** Tag, length, content. */
function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const bytes: number[] = [];
  for (let rest = content.length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  const length = content.length < 0x80 ? [content.length] : [0x80 | bytes.length, ...bytes];
  return Buffer.concat([Uint8Array.of(tag, ...length), content]);
}

const bitString = (content: Uint8Array) => der(tags.bitString, Uint8Array.of(0), content);

function pem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

const newKeyPair = promisify(generateKeyPair);

/**
 * Makes a key (ECDSA, P-256) and a request for it.
 * @param commonName for people who look at the request: whose the certificate will be, the broker says
 */
export async function makeKeyAndRequest(commonName: string): Promise<KeyAndRequest> {
  const { publicKey, privateKey } = await newKeyPair("ec", { namedCurve: "P-256" });
  const name = der(tags.sequence, der(tags.oid, oids.commonName), der(tags.utf8, Buffer.from(commonName)));
  const info = der(
    tags.sequence,
    der(tags.integer, Uint8Array.of(0)),
    der(tags.sequence, der(tags.set, name)),
    publicKey.export({ type: "spki", format: "der" }),
    der(tags.attributes),
  );
  const algorithm = der(tags.sequence, der(tags.oid, oids.ecdsaWithSha256));
  const signature = bitString(sign("sha256", info, privateKey));
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    csr: pem("CERTIFICATE REQUEST", der(tags.sequence, info, algorithm, signature)),
  };
}
