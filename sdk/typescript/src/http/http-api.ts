// The HTTP API as a program asks it: operations of openapi.json by their names, typed by it. A request is repeated where that is
// safe; refusals are AgentworksErrors. What may be repeated when is in repeating.ts.
import { AgentworksError, clientError } from "../error.ts";
import { mint } from "../mint.ts";
import { sdkVersion } from "../version.ts";
import { answerOf, type HttpAnswer, unansweredError } from "./answer.ts";
import { type Operations, pages } from "./operations.ts";
import { type Attempt, delayMs } from "./repeating.ts";

/** An operation of the API: `GET /v1/agents/{agent_id}`. */
export type Operation = keyof Operations;

/** A list of the API, which comes in pages. */
export type ListOperation = keyof typeof pages;

/** The JSON that an operation answers. */
export type AnswerOf<Name extends Operation> = Operations[Name]["answer"];

/** An entry of a list. */
export type EntryOf<Name extends ListOperation> =
  AnswerOf<Name> extends Record<(typeof pages)[Name]["entries"], (infer Entry)[]> ? Entry : never;

export interface RequestOptions {
  /**
   * Of a POST: the same request with the same key takes effect once, for a day. 1–128 visible ASCII characters. Default: a new one,
   * kept when the request is repeated; give one to go on after a crash of your own.
   */
  idempotencyKey?: string | undefined;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
}

/** What an operation takes: `path`, `query`, `body`, `ifMatch`, as far as it has them, and how it is asked. */
export type Taking<Name extends Operation> = Operations[Name]["takes"] & RequestOptions;

type Arguments<Name extends Operation> =
  Record<never, never> extends Operations[Name]["takes"] ? [taking?: Taking<Name>] : [taking: Taking<Name>];

export interface Answer<Name extends Operation> {
  data: AnswerOf<Name>;
  status: number;
  /** The revision of what was answered, for `ifMatch`. */
  etag: string | undefined;
  /** The answer is the stored one of an earlier request with this `idempotencyKey`. */
  replayed: boolean;
}

export interface HttpApiOptions {
  /** `https://api.example.com`, without a path. By `http:` on this machine only: the credential must not be seen. */
  url: string;
  /** An API key, an enrolment token, or the operator's token. It is sent to `url` and nowhere else. */
  credential: string;
  /** How often a request that may succeed later is repeated. Default 3. */
  repeats?: number;
  /** How long a request may take with its repetitions, in milliseconds. Default 30,000. */
  timeoutMs?: number;
  /** Ends every request. */
  signal?: AbortSignal;
}

/** What a header can hold of a credential, an `Idempotency-Key` or an `If-Match`. A refusal does not repeat it: it may be a secret. */
function sendable(noun: string, text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  throw clientError("invalid_argument", `The ${noun} holds something else than ASCII: copy it again, whole.`);
}

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** The address of an API; throws invalid_argument for one that would show the credential to the network. */
export function apiUrl(text: string): URL {
  if (!URL.canParse(text)) throw clientError("invalid_argument", `${text} is no URL of an API.`);
  const url = new URL(text);
  if (url.protocol === "https:" || (url.protocol === "http:" && loopback.has(url.hostname))) return url;
  throw clientError("invalid_argument", `${text}: an API is asked by https; by http on this very machine only.`);
}

/** As the members of any operation's `takes` are at run time. */
interface Taken extends RequestOptions {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  ifMatch?: string | undefined;
}

/** The path of an operation with its places filled in, and its query. */
function targetOf(template: string, { path = {}, query = {} }: Taken): string {
  const filled = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(path[name] ?? "");
    // Neither is a part that a URL can hold: it would be another path.
    if (/^\.{0,2}$/.test(value)) throw clientError("invalid_argument", `"${value}" is no ${name}.`);
    return encodeURIComponent(value);
  });
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(Object.fromEntries(given))}`;
}

/**
 * The HTTP API of a broker. Every method rejects with an AgentworksError: the broker's refusal by its `reason` (docs/ERRORS.md), or
 * connection_failed, broker_untrusted, unreadable, aborted, invalid_argument.
 */
export class HttpApi {
  /** Its origin. */
  readonly url: string;
  readonly #credential: string;
  readonly #repeats: number;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;

  /** Throws invalid_argument for a `url` that would show the credential to the network, and for a credential that cannot be sent. */
  constructor({ url, credential, repeats = 3, timeoutMs = 30_000, signal }: HttpApiOptions) {
    this.url = apiUrl(url).origin;
    this.#credential = sendable("credential", credential);
    this.#repeats = repeats;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** Asks, and resolves with the JSON of the answer. */
  async request<Name extends Operation>(operation: Name, ...taking: Arguments<Name>): Promise<AnswerOf<Name>> {
    return (await this.send(operation, ...taking)).data;
  }

  /** The same, with what the answer's headers say. */
  async send<Name extends Operation>(operation: Name, ...[taking]: Arguments<Name>): Promise<Answer<Name>> {
    const { data, status, headers } = await this.#send(operation, taking ?? {});
    return {
      // The broker's tests hold its answers to openapi.json, from which this type comes.
      data: data as AnswerOf<Name>,
      status,
      etag: headers.get("ETag") ?? undefined,
      replayed: headers.has("Idempotency-Replayed"),
    };
  }

  /** The entries of a list, page after page, each page when it is needed. */
  async *list<Name extends ListOperation>(
    operation: Name,
    ...[taking]: Arguments<Name>
  ): AsyncGenerator<EntryOf<Name>> {
    const { entries, cursor } = pages[operation];
    const taken: Taken = taking ?? {};
    for (let next: unknown; ; ) {
      const query = { ...taken.query, ...(next !== undefined && { [cursor]: next }) };
      const { data } = await this.#send(operation, { ...taken, query });
      const page = data as { next?: string } & Record<typeof entries, EntryOf<Name>[]>;
      yield* page[entries];
      next = page.next;
      if (next === undefined) return;
    }
  }

  async #send(operation: string, taken: Taken): Promise<HttpAnswer> {
    const [method = "", template = ""] = operation.split(" ");
    const target = new URL(targetOf(template, taken), this.url);
    const headers = new Headers({
      Authorization: `Bearer ${this.#credential}`,
      "User-Agent": `agentworks-${sdkVersion}`,
    });
    if (taken.body !== undefined) headers.set("Content-Type", "application/json");
    if (taken.ifMatch !== undefined) headers.set("If-Match", sendable("ifMatch", taken.ifMatch));
    if (method === "POST") headers.set("Idempotency-Key", sendable("idempotencyKey", taken.idempotencyKey ?? mint()));
    const body = taken.body === undefined ? null : JSON.stringify(taken.body);
    const ends = [taken.signal, this.#signal].filter((signal) => signal !== undefined);
    const deadline = Date.now() + this.#timeoutMs;

    for (let repeats = 0; ; repeats++) {
      const signal = AbortSignal.any([...ends, AbortSignal.timeout(Math.max(0, deadline - Date.now()))]);
      const answered = await ask(target, { method, headers, body, signal, redirect: "manual" }, ends);
      if ("data" in answered) return answered;
      const attempt: Attempt = { method, conditional: taken.ifMatch !== undefined, repeats, random: Math.random() };
      const wait = repeats < this.#repeats ? delayMs(attempt, answered) : undefined;
      if (wait === undefined || Date.now() + wait >= deadline) throw answered.error;
      await pause(wait, ends);
    }
  }
}

/** One attempt. What was aborted by whoever asked is thrown: nobody repeats it. */
async function ask(target: URL, init: RequestInit, ends: readonly AbortSignal[]) {
  try {
    const response = await fetch(target, init);
    return answerOf(target.origin, response.status, response.headers, await response.text());
  } catch (cause) {
    if (ends.some(({ aborted }) => aborted)) throw clientError("aborted", "The request was aborted.", { cause });
    return unansweredError(target.origin, cause);
  }
}

function pause(ms: number, ends: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([...ends]);
    const aborted = () => {
      clearTimeout(timer);
      reject(clientError("aborted", "The request was aborted."));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal.addEventListener("abort", aborted, { once: true });
  });
}

/** Whether an error is a refusal by that reason. */
export const isRefusal = (error: unknown, reason: string): boolean =>
  error instanceof AgentworksError && error.reason === reason;
