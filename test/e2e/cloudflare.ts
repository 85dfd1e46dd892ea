// Cloudflare's client-certificate API as far as the broker uses it: a CA of its own that keeps a book. Requests and answers are held
// against the contracts (`../shared/contracts` beside this checkout) by the shapes that Cloudflare publishes.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Pkcs10CertificateRequest, X509Certificate } from "@peculiar/x509";
import { z } from "zod";
import { type Credentials, openAuthority } from "../../scripts/certificates/authority.ts";
import { root } from "../../scripts/sources.ts";
import { pemOf, readSigner, signCertificate } from "../../x509/certificate.ts";

const contracts = join(root, "../shared/contracts");
export const hasContracts = existsSync(contracts);

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];
interface Operation {
  requestBody?: { content: { "application/json": { schema: JsonSchema } } };
  responses: Record<string, { content: { "application/json": { schema: JsonSchema } } }>;
}
type Paths = Record<string, Record<string, Operation>>;

const collection = "/zones/{zone_id}/client_certificates";
const member = `${collection}/{client_certificate_id}`;

function operationsIn(file: string): Paths {
  return (JSON.parse(readFileSync(join(contracts, file), "utf8")) as { paths: Paths }).paths;
}

/** Where a body departs from what Cloudflare publishes; nothing when it does not. */
function departures(schema: JsonSchema | undefined, body: unknown): string[] {
  if (schema === undefined) return body === undefined ? [] : ["no body is taken"];
  const parsed = z.fromJSONSchema(schema).safeParse(body);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

interface Kept {
  id: string;
  certificate: string;
  status: "active" | "pending_revocation" | "revoked";
  csr: string;
}

/** How the next call goes wrong. */
export type Mishap = "refused" | "down" | "nonsense" | "other key" | "not allowed" | "lost";

export interface Asked {
  method: string;
  path: string;
  status: number;
}

export class FakeCloudflare implements AsyncDisposable {
  readonly zone = randomBytes(16).toString("hex");
  readonly token = randomBytes(20).toString("hex");
  readonly kept = new Map<string, Kept>();
  readonly asked: Asked[] = [];
  /** What departed from the contracts, of the broker's requests or of these answers. */
  readonly broken: string[] = [];
  mishap: Mishap | undefined;
  readonly #ca: Credentials;
  readonly #paths = operationsIn("cloudflare-sdk-derived.json");
  readonly #server = createServer((message, response) => {
    void this.#answer(message).then(({ status, body }) => {
      this.asked.push({ method: message.method ?? "", path: message.url ?? "", status });
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });

  private constructor(ca: Credentials) {
    this.#ca = ca;
  }

  static async start(dir: string): Promise<FakeCloudflare> {
    const fake = new FakeCloudflare(await openAuthority(dir));
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/client/v4`;
  }

  /** PEM of its CA. */
  get ca(): string {
    return this.#ca.certificate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(message: IncomingMessage): Promise<{ status: number; body: unknown }> {
    let text = "";
    for await (const chunk of message) text += chunk;
    const failure = (status: number, code: number, why: string) => ({
      status,
      body: { success: false, errors: [{ code, message: why }], messages: [], result: null },
    });
    if (message.headers.authorization !== `Bearer ${this.token}` || this.mishap === "not allowed") {
      return failure(403, 10_000, "Authentication error");
    }
    if (this.mishap === "down") return { status: 502, body: "<html>bad gateway</html>" };
    if (this.mishap === "nonsense") return { status: 200, body: "{" };

    const base = `/client/v4/zones/${this.zone}/client_certificates`;
    const path = message.url ?? "";
    const template = path === base ? collection : path.startsWith(`${base}/`) ? member : undefined;
    const operation = template && this.#paths[template]?.[message.method?.toLowerCase() ?? ""];
    if (operation === undefined) return failure(404, 7003, "Could not route to that path");
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    this.#hold("request", departures(operation.requestBody?.content["application/json"].schema, body));

    const id = path.slice(base.length + 1);
    const looks = message.method === "GET";
    const result = template === collection ? await this.#issue(body) : looks ? this.#show(id) : this.#revoke(id);
    // It was done, and nobody hears of it.
    if (this.mishap === "lost") return { status: 502, body: "<html>bad gateway</html>" };
    if (typeof result === "string") return failure(400, 1405, result);
    const answer = { success: true, errors: [], messages: [], result };
    this.#hold("answer", departures(operation.responses["200"]?.content["application/json"].schema, answer));
    return { status: 200, body: answer };
  }

  #hold(what: string, found: string[]): void {
    for (const departure of found) this.broken.push(`${what}: ${departure}`);
  }

  async #issue(body: unknown): Promise<object | string> {
    if (this.mishap === "refused") return "The CSR is invalid.";
    const { csr, validity_days } = body as { csr: string; validity_days: number };
    if (!csr.endsWith("\n")) return "The CSR must be newline-encoded.";
    const request = new Pkcs10CertificateRequest(csr);
    const now = Date.now();
    const ownKey = new X509Certificate(this.#ca.certificate).publicKey;
    const certificate = await signCertificate(await readSigner(this.#ca, now), {
      // As Cloudflare does it: the names are those of the request.
      subject: request.subjectName.toJSON(),
      publicKey: this.mishap === "other key" ? ownKey : request.publicKey,
      notBefore: new Date(now - 300_000),
      notAfter: new Date(now + validity_days * 86_400_000),
      usage: "clientAuth",
      alternativeNames: [{ type: "dns", value: "client.cloudflare.example" }],
    });
    const id = randomBytes(16).toString("hex");
    const one: Kept = { id, certificate: pemOf(certificate), status: "active", csr };
    this.kept.set(id, one);
    return { ...one, validity_days, issued_on: new Date(now).toISOString(), serial_number: certificate.serialNumber };
  }

  #show(id: string): object | string {
    const one = this.kept.get(id);
    return one === undefined ? "No such client certificate." : { ...one };
  }

  #revoke(id: string): object | string {
    const one = this.kept.get(id);
    if (one === undefined) return "No such client certificate.";
    if (one.status !== "active") return "The certificate is revoked already.";
    one.status = "pending_revocation";
    return { ...one };
  }
}
