// What may be sent as a signing request, and what the development CA makes of it.

import { env } from "cloudflare:workers";
import { SubjectAlternativeNameExtension, X509Certificate } from "@peculiar/x509";
import { describe, expect, it } from "vitest";
import { certify } from "../../../worker/certificates/certify.ts";
import { configuredIssuer } from "../../../worker/certificates/configured-issuer.ts";
import { judgeSigningRequest } from "../../../x509/signing-request.ts";
import { contentOf, damaged, type KeyKind, newRequest, pemOf } from "./requests.ts";

const dayMs = 24 * 60 * 60 * 1000;

describe("judgeSigningRequest", () => {
  it.each<KeyKind>(["P-256", "P-384", "Ed25519", "RSA 2048"])("takes %s", async (kind) => {
    const { csr, publicKey } = await newRequest({ kind });
    const judged = await judgeSigningRequest(`\n${csr}\n\n`);
    expect(judged).toMatchObject({ ok: true });
    if (judged.ok) expect(new Uint8Array(judged.request.publicKey.rawData)).toEqual(publicKey);
  });

  it.each<[KeyKind, RegExp]>([
    ["P-521", /the curve P-521 is not taken: use P-256/],
    ["RSA 1024", /an RSA key of 1024 bits is too weak/],
    ["RSA with exponent 3", /public exponent is not 65537/],
    ["ECDSA with SHA-1", /it is signed with SHA-1/],
  ])("refuses %s", async (kind, message) => {
    expect(await judgeSigningRequest((await newRequest({ kind })).csr)).toEqual({
      ok: false,
      message: expect.stringMatching(message),
    });
  });

  it("refuses one that is not signed by its own key: nobody proved to have that key", async () => {
    const { csr } = await newRequest();
    const message = "its signature is not by its own key";
    expect(await judgeSigningRequest(damaged(csr, -1))).toEqual({ ok: false, message });
    // Another's request, with the name changed.
    expect(await judgeSigningRequest(damaged(csr, contentOf(csr).indexOf("planner")))).toEqual({ ok: false, message });
  });

  it("never throws, whichever byte is wrong", async () => {
    const { csr, publicKey } = await newRequest();
    for (let at = 0; at < contentOf(csr).length; at++) {
      const judged = await judgeSigningRequest(damaged(csr, at));
      // Some tags may be read either way; what was signed, and by which key, stays the same.
      if (judged.ok) expect(new Uint8Array(judged.request.publicKey.rawData)).toEqual(publicKey);
    }
  });

  it("says so when a private key was sent", async () => {
    const { csr } = await newRequest();
    const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    const judged = await judgeSigningRequest(`${csr}\n${key}`);
    expect(judged).toEqual({ ok: false, message: expect.stringContaining("it is not secret any more") });
  });

  it.each<[string, (csr: string) => string]>([
    ["nothing", () => ""],
    ["no PEM", () => "a certificate, please"],
    ["two of them", (csr) => `${csr}\n${csr}`],
    ["a certificate", (csr) => csr.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE")],
    ["no base64", () => pemOf(Uint8Array.of()).replace("\n\n", "\n****\n")],
    ["an empty one", () => pemOf(Uint8Array.of())],
    ["half of one", (csr) => `${csr.slice(0, 200)}\n-----END CERTIFICATE REQUEST-----`],
    ["sequences in sequences", () => pemOf(new Uint8Array(6000).fill(0x30))],
    ["endless sequences in sequences", () => pemOf(Uint8Array.from({ length: 6000 }, (_, i) => (i % 2 ? 0x80 : 0x30)))],
  ])("refuses %s", async (_, make) => {
    const judged = await judgeSigningRequest(make((await newRequest()).csr));
    expect(judged).toEqual({ ok: false, message: expect.stringMatching(/certificate signing request/) });
  });
});

describe("the development CA", () => {
  const order = { account: "local", agent: "planner", now: Date.now(), lifeMs: 90 * dayMs };
  const issuer = configuredIssuer(env);

  it("gives our names and not those of the request, for that key, for 90 days", async () => {
    const { csr, publicKey } = await newRequest({
      subject: "CN=operator, O=another account",
      alternativeNames: [{ type: "dns", value: "broker.example" }],
    });
    const made = await certify(issuer, { ...order, csr });
    if (!made.ok) throw new Error(made.message);
    const certificate = new X509Certificate(made.certificate);
    expect(certificate.subject).toBe("O=local, CN=planner");
    expect(certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
      { type: "url", value: "agentworks://local/planner" },
    ]);
    expect(new Uint8Array(certificate.publicKey.rawData)).toEqual(publicKey);
    expect(certificate.notAfter.getTime() - order.now).toBeGreaterThan(90 * dayMs - 1000);
    expect(certificate.notBefore.getTime()).toBeLessThan(order.now);
    const ca = new X509Certificate(made.chain);
    expect(await certificate.verify({ publicKey: ca.publicKey, signatureOnly: true })).toBe(true);
    expect(made).toMatchObject({ issuer: "development", reference: null, content: { subject: "O=local\nCN=planner" } });
  });

  it("never outlives its CA, and is no CA itself", async () => {
    const { csr } = await newRequest();
    const made = await certify(issuer, { ...order, csr, lifeMs: 100_000 * dayMs });
    if (!made.ok) throw new Error(made.message);
    const [certificate, ca] = [new X509Certificate(made.certificate), new X509Certificate(made.chain)];
    expect(certificate.notAfter).toEqual(ca.notAfter);
    expect(certificate.extensions.map(({ type, critical }) => [type, critical])).toContainEqual(["2.5.29.19", true]);
  });

  it("issues nothing for a bad request, and without a CA nothing at all", async () => {
    expect(await certify(issuer, { ...order, csr: "" })).toMatchObject({ reason: "signing_request_refused" });
    const { csr } = await newRequest();
    expect(await certify(undefined, { ...order, csr })).toEqual({ ok: false, reason: "issuer_missing" });
  });
});
