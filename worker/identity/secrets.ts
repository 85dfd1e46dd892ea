// Proof by a shared secret: the hop from the edge, and the administrator. Compared in a time that says nothing about either.

/** Whether two strings are equal. Digests of equal length are compared, so that not even the secret's length shows. */
export async function equalInConstantTime(a: string, b: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const [x, y] = await Promise.all([a, b].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))));
  return x !== undefined && y !== undefined && crypto.subtle.timingSafeEqual(x, y);
}

/**
 * Whether a request came through the edge. Not configured: there is no edge but Cloudflare's, and nothing to prove.
 * @param secret `EDGE_SECRET`; an empty one is a mistake of configuration, and proves nothing
 * @param proof the header `X-Agentworks-Edge`
 */
export async function provesEdge(secret: string | undefined, proof: string | null): Promise<boolean> {
  if (secret === undefined) return true;
  return secret !== "" && (await equalInConstantTime(secret, proof ?? ""));
}

/**
 * Whether a request is the administrator's. Not configured: nobody is.
 * @param token `ADMIN_TOKEN`
 * @param authorization the header `Authorization`
 */
export async function provesAdmin(token: string | undefined, authorization: string | null): Promise<boolean> {
  const [, sent = ""] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? [];
  return token !== undefined && token !== "" && (await equalInConstantTime(token, sent));
}
