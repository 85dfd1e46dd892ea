// Which headers cross the edge. Pure: header lists in, header lists out, in Node's flat form [name, value, name, value, …].

import type { TlsClientAuth } from "./tls-client-auth.ts";

/** Only the edge may speak these: Miniflare and workerd believe `MF-*`, the Worker believes `X-Agentworks-*`, Cloudflare owns `CF-*`. */
const reserved = /^(?:mf|cf|x-agentworks)-/i;

/** They describe one hop and not the message (RFC 9110, 7.6.1). `Transfer-Encoding` is dealt with by the forwarder. */
const hopByHop = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
]);

function keep(rawHeaders: readonly string[], wanted: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (wanted(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] ?? "");
  }
  return kept;
}

/** What the edge adds to every request of one client: made once per connection. */
export function proofHeaders(tlsClientAuth: TlsClientAuth, secret: string): string[] {
  // Headers are ASCII; a certificate's names need not be.
  const blob = JSON.stringify({ tlsClientAuth }).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return ["MF-CF-Blob", blob, "X-Agentworks-Edge", secret];
}

/** The headers that go inwards: the client's own without what it may not say, then the proof. */
export function inwardHeaders(rawHeaders: readonly string[], proof: readonly string[]): string[] {
  return [...keep(rawHeaders, (name) => !reserved.test(name) && !hopByHop.has(name)), ...proof];
}

/** The headers that go back to the client. Node frames the body anew, so `Transfer-Encoding` stays behind. */
export function outwardHeaders(rawHeaders: readonly string[]): string[] {
  return keep(rawHeaders, (name) => !reserved.test(name) && !hopByHop.has(name) && name !== "transfer-encoding");
}
