// Proof by a shared secret: the hop from the edge, and the operator. Compared in a time that says nothing about either.

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

/** The credential of a header `Authorization: Bearer …`; undefined where there is none of that form. */
export function bearerOf(authorization: string): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/**
 * Whether a credential is the operator's. Not configured: nobody's is.
 * @param token `ADMIN_TOKEN`; an empty one is a mistake of configuration, and proves nothing
 */
export async function provesAdmin(token: string | undefined, sent: string): Promise<boolean> {
  return token !== undefined && token !== "" && (await equalInConstantTime(token, sent));
}
