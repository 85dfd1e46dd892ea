// The broker's HTTP API, asked with a bearer credential: one method, JSON both ways, refusals as AgentworksErrors.
import { AgentworksError, clientError, problemError } from "./error.ts";

const answerMsMax = 30_000;

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

/** Where to ask, and as whom. */
export interface ApiAddress {
  /** `https://api.example.com`, without a path. */
  url: string;
  /** An API key, an enrolment token, or the operator's token. It is sent to `url` and nowhere else. */
  credential: string;
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The address of an API; throws invalid_argument for one that would show the credential to the network. */
export function apiUrl(text: string): URL {
  if (!URL.canParse(text)) throw clientError("invalid_argument", `${text} is no URL of an API.`);
  const url = new URL(text);
  if (url.protocol === "https:" || (url.protocol === "http:" && loopback.has(url.hostname))) return url;
  throw clientError("invalid_argument", `${text}: an API is asked by https; by http on this very machine only.`);
}

export class HttpApi {
  readonly url: string;
  readonly #credential: string;

  constructor({ url, credential }: ApiAddress) {
    this.url = apiUrl(url).origin;
    this.#credential = credential;
  }

  /**
   * Asks, and returns the answer's JSON (undefined where it has none).
   * Rejects with the refusal of the broker by its `reason`, or with connection_failed.
   * @param path from the root, `/v1/…`, its parts encoded
   */
  async ask<Answer>(method: Method, path: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#credential}`, "content-type": "application/json" };
    let status: number;
    let text: string;
    try {
      const response = await fetch(new URL(path, this.url), {
        method,
        headers,
        redirect: "error",
        signal: AbortSignal.timeout(answerMsMax),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      throw clientError("connection_failed", `The API at ${this.url} does not answer.`, { cause });
    }
    if (status >= 300) throw problemError(status, text);
    try {
      return (text === "" ? undefined : JSON.parse(text)) as Answer;
    } catch (cause) {
      throw clientError("unreadable", `What answers at ${this.url} is no agentworks API.`, { cause });
    }
  }
}

/** Whether an error is a refusal by that reason. */
export const isRefusal = (error: unknown, reason: string): boolean =>
  error instanceof AgentworksError && error.reason === reason;
