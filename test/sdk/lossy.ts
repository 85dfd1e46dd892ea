// A network that loses answers, between a client and the broker's HTTP API: real sockets, and what was asked over them.
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";

/** Of an answer: the whole of it, or all but its beginning. */
export type Loss = "all" | "rest";

export interface Lossy extends AsyncDisposable {
  url: string;
  asked: { what: string; headers: IncomingHttpHeaders }[];
}

/** Hands requests on to `apiUrl`, and loses its first answers. */
export async function lossy(apiUrl: string, losses: Loss[]): Promise<Lossy> {
  const asked: Lossy["asked"] = [];
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    asked.push({ what: `${method} ${incoming.url}`, headers });
    const onward = request(new URL(incoming.url ?? "", apiUrl), { method, headers }, async (answer) => {
      const loss = losses.shift();
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part);
      if (loss !== "all") outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      if (loss === undefined) outgoing.end(Buffer.concat(parts));
      else if (loss === "all") outgoing.destroy();
      else outgoing.write(parts[0]?.subarray(0, 100), () => outgoing.destroy());
    });
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
