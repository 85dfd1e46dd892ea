// What Cloudflare's front does for us in production, on loopback. Two listeners, agents (mutual TLS) and API (plain HTTP),
// before one Worker. They ask for certificates and report them; refusing is the Worker's business. Imports stay light here:
// they are the heap of the edge's thread (thread.ts).

import type { X509Certificate } from "node:crypto";
import { constants } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { errorCode, Failure } from "../failure.ts";
import { type FindInner, forwardRequest, forwardUpgrade } from "./forward.ts";
import { proofHeaders } from "./headers.ts";
import { certificatesIn, noCertificate, tlsClientAuthOf } from "./tls-client-auth.ts";

export interface EdgeOptions {
  /** 0 takes any free port. */
  agentsPort: number;
  apiPort: number;
  /** Proves the hop to the Worker: `X-Agentworks-Edge`. */
  secret: string;
  /** PEM. */
  server: { certificate: string; key: string };
  /** PEM bundles of the CAs whose client certificates count as verified. */
  clientCas: readonly string[];
}

/** One live TCP connection on the agents' port. */
export interface EdgeConnection {
  /** SHA-256 of the client certificate, 64 lower-case hex digits; "" without one. */
  fingerprint: string;
  /** The subject's common name, which is the agent id for certificates made here; "" without one. */
  commonName: string;
  /** Path of its latest request. */
  path: string;
  /** Whether it carries a WebSocket by now. */
  upgraded: boolean;
}

/** Which connections: those that agree with everything named here. */
export interface ConnectionFilter {
  commonName?: string;
  /** Matches somewhere in the path. */
  path?: RegExp;
  upgraded?: boolean;
}

export interface Listeners {
  readonly agentsPort: number;
  readonly apiPort: number;
  connections(filter: ConnectionFilter): EdgeConnection[];
  /** Destroys live connections of agents, as a failing network would: no close frame. Returns what they were. */
  cut(filter: ConnectionFilter): EdgeConnection[];
  close(): Promise<void>;
}

const host = "127.0.0.1";
const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 15_000,
  // Node looks for the two timeouts above only so often; its own default is half a minute.
  connectionsCheckingInterval: 2_000,
};
const handshakeMsMax = 10_000;
const keepAliveProbeMs = 30_000;

interface Client {
  connection: EdgeConnection;
  proof: string[];
}

async function listen(server: Server, port: number, noun: string, flag: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((error: unknown) => {
    const why = { EADDRINUSE: "is in use", EACCES: "needs more rights than this user has" }[errorCode(error) ?? ""];
    if (why === undefined) throw error;
    throw new Failure(`Port ${port} (${noun}) ${why}: choose another with ${flag} (0 takes any free one).`);
  });
  return (server.address() as AddressInfo).port;
}

const isWebSocket = (message: IncomingMessage): boolean =>
  message.method === "GET" && message.headers.upgrade?.toLowerCase() === "websocket";

function factsOf(socket: TLSSocket, authorities: readonly X509Certificate[], secret: string): Client {
  const auth = tlsClientAuthOf(socket, authorities);
  const commonName = /(?:^|,)CN=([^,]*)/.exec(auth.certSubjectDN)?.[1] ?? "";
  return {
    connection: { fingerprint: auth.certFingerprintSHA256, commonName, path: "", upgraded: false },
    proof: proofHeaders(auth, secret),
  };
}

const agrees = (connection: EdgeConnection, { commonName, path, upgraded }: ConnectionFilter): boolean =>
  (commonName === undefined || connection.commonName === commonName) &&
  (path === undefined || connection.path.search(path) !== -1) &&
  (upgraded === undefined || connection.upgraded === upgraded);

/** Stops listening; resolves when nothing is open any more. */
const shut = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

/** Opens both listeners. Throws a Failure that names the port when one cannot be had. */
export async function openListeners(options: EdgeOptions, inner: FindInner): Promise<Listeners> {
  const authorities = options.clientCas.flatMap(certificatesIn);
  const clients = new Map<Duplex, Client>();
  /** Every open TCP connection, those whose handshake is not through among them. */
  const sockets = new Set<Socket>();
  const stranger = proofHeaders(noCertificate, options.secret);

  const serve = (message: IncomingMessage): readonly string[] => {
    const client = clients.get(message.socket);
    if (client !== undefined) client.connection.path = message.url ?? "";
    // As Cloudflare says from where a request comes.
    return [...(client?.proof ?? stranger), "CF-Connecting-IP", message.socket.remoteAddress ?? ""];
  };
  const onRequest = (message: IncomingMessage, response: ServerResponse): void =>
    forwardRequest(inner, message, response, serve(message));
  const onUpgrade = (message: IncomingMessage, socket: Duplex, early: Buffer): void => {
    const proof = serve(message);
    const client = clients.get(socket);
    if (client !== undefined) client.connection.upgraded = true;
    forwardUpgrade(inner, message, socket, early, proof);
  };

  const agents = createHttpsServer(
    {
      ...limits,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeMs,
      shouldUpgradeCallback: isWebSocket,
      handshakeTimeout: handshakeMsMax,
      minVersion: "TLSv1.2",
      cert: options.server.certificate,
      key: options.server.key,
      ca: [...options.clientCas],
      requestCert: true,
      // As on Cloudflare, the handshake succeeds for anyone: the Worker answers with a reason instead of a TLS alert.
      rejectUnauthorized: false,
      // A resumed session would carry the verdict of an earlier day.
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    onRequest,
  );
  agents.on("upgrade", onUpgrade);
  agents.on("secureConnection", (socket) => {
    try {
      clients.set(socket, factsOf(socket, authorities, options.secret));
    } catch {
      // A certificate that cannot even be read is a stranger's trouble, and no reason to end for all.
      socket.destroy();
      return;
    }
    socket.on("close", () => clients.delete(socket));
  });
  // A client that breaks off its handshake is its own trouble.
  agents.on("tlsClientError", (_error, socket) => socket.destroy());

  const api = createHttpServer({ ...limits, noDelay: true, shouldUpgradeCallback: isWebSocket }, onRequest);
  api.on("upgrade", onUpgrade);
  for (const server of [agents, api]) {
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
  }

  const those = (filter: ConnectionFilter): [Duplex, Client][] =>
    [...clients].filter(([, { connection }]) => agrees(connection, filter));
  const connectionsOf = (which: [Duplex, Client][]): EdgeConnection[] => which.map(([, client]) => client.connection);

  try {
    const agentsPort = await listen(agents, options.agentsPort, "agents", "--agents-port");
    const apiPort = await listen(api, options.apiPort, "API", "--api-port");
    return {
      agentsPort,
      apiPort,
      connections: (filter) => connectionsOf(those(filter)),
      cut: (filter) => {
        const victims = those(filter);
        for (const [socket] of victims) socket.destroy();
        return connectionsOf(victims);
      },
      close: async () => {
        const closed = Promise.all([shut(agents), shut(api)]);
        for (const socket of [...clients.keys(), ...sockets]) socket.destroy();
        await closed;
      },
    };
  } catch (error) {
    agents.close();
    api.close();
    throw error;
  }
}
