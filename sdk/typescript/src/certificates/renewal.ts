// When a certificate is renewed, and how: at two thirds of its life, with a new key, asked for by the present certificate. What
// the agent does with the new one is its own business.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { request } from "node:https";
import { asTlsOptions, type Credentials } from "../credentials.ts";
import { type AgentworksError, clientError, problemError } from "../error.ts";
import { commonNameOf, type Identity, type IdentityFiles, readPair, tryFiles, writeIdentity } from "./files.ts";
import { makeKeyAndRequest } from "./signing-request.ts";

const answerMsMax = 30_000;
const answerBytesMax = 256 * 1024;
/** By how much the clocks of agents and CAs may differ. */
const clockSkewMs = 5 * 60 * 1000;
/** Timers of Node end at 2³¹ ms, and machines sleep: a long wait is looked at again. */
const lookAgainMsMax = 60 * 60 * 1000;
/** A fleet that was made at one time does not come at one time. */
const spread = 1 / 20;

/**
 * When to renew, epoch milliseconds: at two thirds of the certificate's life, a little later by the dice.
 * @param random in [0, 1)
 */
export function renewalTime(certificate: X509Certificate, random: number): number {
  const from = certificate.validFromDate.getTime();
  const life = certificate.validToDate.getTime() - from;
  return from + life * (2 / 3 + spread * random);
}

/** How long to wait after a failure: a part of what is left, but neither a storm nor a day. */
const retryMs = (leftMs: number) => Math.min(lookAgainMsMax, Math.max(1000, leftMs / 20));

/** One POST by the present certificate. Rejects with the broker's refusal, or connection_failed. */
function ask(url: URL, credentials: Credentials, body: string): Promise<unknown> {
  const failed = (cause: unknown) =>
    clientError("connection_failed", "The broker could not be asked for a new certificate.", { cause });
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const tls = { ...asTlsOptions(credentials), minVersion: "TLSv1.2" as const, agent: false as const };
    const message = request(url, { method: "POST", headers, timeout: answerMsMax, ...tls });
    message.on("timeout", () => message.destroy(new Error("no answer in time")));
    message.on("error", (cause) => reject(failed(cause)));
    message.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", (cause) => reject(failed(cause)));
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > answerBytesMax) message.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        if (status !== 201) return reject(problemError(status, text));
        try {
          resolve(JSON.parse(text));
        } catch (cause) {
          reject(failed(cause));
        }
      });
    });
    message.end(body);
  });
}

interface Asked {
  agent: string;
  /** PEM. */
  key: string;
  present: X509Certificate;
  nowMs: number;
}

/** The certificate (PEM) of an answer. Throws renewal_failed where it is not the one that was asked for, or not of use. */
export function judgeAnswer(answer: unknown, { agent, key, present, nowMs }: Asked): string {
  const refuse = (why: string, cause?: unknown) =>
    clientError("renewal_failed", `The broker's answer cannot be used: ${why}. The present certificate goes on.`, {
      cause,
    });
  const { agent_id, certificate } = (typeof answer === "object" ? { ...answer } : {}) as Record<string, unknown>;
  if (typeof certificate !== "string") throw refuse("it has no certificate");
  if (agent_id !== agent) throw refuse(`the certificate is for ${String(agent_id)}`);
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(certificate);
  } catch (cause) {
    throw refuse("the certificate cannot be read", cause);
  }
  if (!x509.checkPrivateKey(createPrivateKey(key))) throw refuse("the certificate is for another key");
  if (x509.validToDate <= present.validToDate)
    throw refuse("the certificate does not last longer than the present one");
  if (x509.validFromDate.getTime() > nowMs + clockSkewMs) throw refuse("the certificate is not valid yet");
  return certificate;
}

export interface RenewalEvents {
  /** The new pair is in its files. */
  renewed(credentials: Credentials, notAfter: Date): void;
  /** It will be tried again while the certificate lasts. */
  failed(error: AgentworksError): void;
}

/** Keeps the certificate of one agent young for as long as it is not stopped. */
export class Renewal {
  readonly #url: URL;
  readonly #files: IdentityFiles;
  readonly #random: () => number;
  #credentials: Credentials;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;

  /** @param url of the broker, `wss://…` */
  constructor(url: URL, files: IdentityFiles, credentials: Credentials, random: () => number) {
    this.#url = new URL(url.href.replace(/^wss:/, "https:"));
    this.#files = files;
    this.#credentials = credentials;
    this.#random = random;
  }

  /** Begins, once it is known who this is; a second call changes nothing. */
  start(agent: string, events: RenewalEvents): void {
    if (this.#timer !== undefined) return;
    this.#url.pathname = `/v1/agents/${agent}/certificates`;
    this.#dueAt = renewalTime(this.#certificate(), this.#random());
    this.#wait(events);
  }

  stop(): void {
    clearTimeout(this.#timer);
    // A call that is under way finds nobody to wait for it any more.
    this.#timer = undefined;
  }

  #certificate(): X509Certificate {
    const { cert } = this.#credentials;
    return new X509Certificate(typeof cert === "string" ? cert : Buffer.from(cert));
  }

  #wait(events: RenewalEvents): void {
    const leftMs = Math.max(0, this.#dueAt - Date.now());
    const timer = setTimeout(
      () => {
        if (Date.now() < this.#dueAt) return this.#wait(events);
        void this.#renew(events).then(() => {
          if (this.#timer === timer) this.#wait(events);
        });
      },
      Math.min(leftMs, lookAgainMsMax),
    );
    // The connection keeps the program running, not the hope for a new certificate.
    timer.unref();
    this.#timer = timer;
  }

  async #renew(events: RenewalEvents): Promise<void> {
    const timer = this.#timer;
    try {
      const { credentials, certificate } = await this.#obtain();
      this.#credentials = credentials;
      this.#dueAt = renewalTime(certificate, this.#random());
      if (this.#timer === timer) events.renewed(credentials, certificate.validToDate);
    } catch (error) {
      const left = this.#certificate().validToDate.getTime() - Date.now();
      this.#dueAt = Date.now() + retryMs(left);
      if (this.#timer === timer) events.failed(error as AgentworksError);
    }
  }

  /** The files hold a newer certificate of this agent: another process has renewed it. */
  async #findRenewed(): Promise<Identity | undefined> {
    const pair = await readPair(this.#files);
    if (pair === undefined) return undefined;
    const [its, present] = [new X509Certificate(pair.cert), this.#certificate()];
    return commonNameOf(its) === commonNameOf(present) && its.validToDate > present.validToDate ? pair : undefined;
  }

  async #obtain(): Promise<{ credentials: Credentials; certificate: X509Certificate }> {
    const identity = (await this.#findRenewed()) ?? (await this.#ask());
    return { credentials: { ...this.#credentials, ...identity }, certificate: new X509Certificate(identity.cert) };
  }

  async #ask(): Promise<Identity> {
    const agent = decodeURIComponent(this.#url.pathname.split("/").at(-2) ?? "");
    // An issuer that goes by the names of requests says the same again.
    const { key, csr } = await makeKeyAndRequest(commonNameOf(this.#certificate()));
    await tryFiles(this.#files, key).catch((cause: unknown) => {
      throw clientError("renewal_failed", undefined, { cause });
    });
    const answer = await ask(this.#url, this.#credentials, JSON.stringify({ csr }));
    const cert = judgeAnswer(answer, { agent, key, present: this.#certificate(), nowMs: Date.now() });
    await writeIdentity(this.#files, { cert, key }).catch((cause: unknown) => {
      throw clientError("renewal_failed", undefined, { cause });
    });
    return { cert, key };
  }
}
