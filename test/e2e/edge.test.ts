// The edge alone, before a Worker that echoes: what it says about clients, what it takes from them, what it carries.

import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bounds } from "../../schema/bounds.ts";
import { startWorkerBehindEdge, type WorkerBehindEdge } from "../../scripts/broker/broker.ts";
import { type Authority, openAuthority } from "../../scripts/certificates/authority.ts";
import { openListeners } from "../../scripts/edge/listeners.ts";
import { ask, connect, echoWorker, type Identity, temporaryFolder, until } from "./edge-fixtures.ts";

const dayMs = 24 * 60 * 60 * 1000;

let edge: WorkerBehindEdge;
let ca: string;
let planner: Identity;
let stranger: Authority;
let own: Authority;
const folders: AsyncDisposable[] = [];

beforeAll(async () => {
  const [state, strange, foreign] = await Promise.all([temporaryFolder(), temporaryFolder(), temporaryFolder()]);
  folders.push(state, strange, foreign);
  stranger = await openAuthority(strange.dir);
  own = await openAuthority(foreign.dir);
  edge = await startWorkerBehindEdge({
    stateDir: state.dir,
    worker: await echoWorker(),
    clientCaFile: own.certificateFile,
  });
  ca = edge.authority.certificate;
  planner = await edge.authority.issueAgent("planner");
});

afterAll(async () => {
  await edge.close();
  for (const folder of folders) await folder[Symbol.asyncDispose]();
});

const seen = async (identity?: Identity, headers: Record<string, string> = {}) =>
  JSON.parse((await ask(edge.agentsUrl, "/seen", { ca, identity, headers })).body);
const verdict = async (identity?: Identity): Promise<string> => (await seen(identity)).cf.tlsClientAuth.certVerified;
const answers = async () => (await fetch(`${edge.apiUrl}/seen`)).status === 200;

describe("what request.cf says of the client", () => {
  test("a verified certificate, in Cloudflare's formats", async () => {
    const { tlsClientAuth } = (await seen(planner)).cf;
    const der = new X509Certificate(planner.certificate).raw;
    expect(tlsClientAuth).toMatchObject({
      certPresented: "1",
      certVerified: "SUCCESS",
      certRevoked: "0",
      certSubjectDN: "CN=planner,O=local",
      certIssuerDN: "CN=agentworks development CA",
      certFingerprintSHA256: createHash("sha256").update(der).digest("hex"),
      certSerial: expect.stringMatching(/^[0-9A-F]{32}$/),
      certNotBefore: expect.stringMatching(/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT$/),
      certNotAfter: expect.stringMatching(/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT$/),
      certRFC9440: `:${der.toString("base64")}:`,
    });
  });

  test("no certificate: the handshake succeeds, and the Worker is told", async () => {
    expect((await seen()).cf.tlsClientAuth).toMatchObject({
      certPresented: "0",
      certVerified: "NONE",
      certRevoked: "0",
      certFingerprintSHA256: "",
    });
  });

  test("another CA's, expired, not yet valid, and a CA of one's own", async () => {
    const now = Date.now();
    const past = { notBefore: new Date(now - 2 * dayMs), notAfter: new Date(now - dayMs) };
    const future = { notBefore: new Date(now + dayMs), notAfter: new Date(now + 2 * dayMs) };
    expect(await verdict(await own.issueAgent("planner"))).toBe("SUCCESS");
    expect(await verdict(await edge.authority.issueAgent("planner", past))).toBe("FAILED:certificate has expired");
    expect(await verdict(await edge.authority.issueAgent("planner", future))).toBe(
      "FAILED:certificate is not yet valid",
    );
    const foreign = "FAILED:unable to verify the first certificate";
    expect(await verdict(await stranger.issueAgent("planner"))).toBe(foreign);
    expect(await verdict(await stranger.issueAgent("planner", past))).toBe(foreign);
    expect(await verdict(await stranger.issueAgent("planner", future))).toBe(foreign);
  });

  test("a chain with a key that nobody can read is another CA's, and ends nothing for others", async () => {
    const past = { notBefore: new Date(Date.now() - 2 * dayMs), notAfter: new Date(Date.now() - dayMs) };
    const leaf = await stranger.issueAgent("planner", past);
    // Its CA once more, with an algorithm that does not exist in place of id-ecPublicKey.
    const der = new X509Certificate(stranger.certificate).raw.toString("hex");
    const odd = Buffer.from(der.replace("06072a8648ce3d0201", "06072a8648ce3d0209"), "hex").toString("base64");
    const certificate = `${leaf.certificate}-----BEGIN CERTIFICATE-----\n${odd}\n-----END CERTIFICATE-----\n`;
    // The client's own OpenSSL would not send it either.
    const asking = { ca, identity: { certificate, key: leaf.key }, ciphers: "DEFAULT@SECLEVEL=0" };
    const { cf } = JSON.parse((await ask(edge.agentsUrl, "/seen", asking)).body);
    expect(cf.tlsClientAuth.certVerified).toBe("FAILED:unable to verify the first certificate");
    expect(await verdict(planner)).toBe("SUCCESS");
  });

  test("a server's certificate is no client's", async () => {
    expect(await verdict(await edge.authority.issueServer())).toMatch(/^FAILED/);
  });

  test("forged headers do not pass, on either port", async () => {
    const forged = {
      "MF-CF-Blob": '{"tlsClientAuth":{"certPresented":"1","certVerified":"SUCCESS"}}',
      "mf-original-url": "http://elsewhere/",
      "X-Agentworks-Edge": "guess",
      "x-agentworks-identity": "{}",
      "CF-Connecting-IP": "10.0.0.1",
      "X-Harmless": "stays",
    };
    const api = await (await fetch(`${edge.apiUrl}/seen`, { headers: forged })).json();
    for (const answer of [await seen(undefined, forged), api]) {
      expect(answer.cf.tlsClientAuth.certVerified).toBe("NONE");
      const names = answer.headers.map(([name]: [string]) => name);
      expect(names).toContain("x-harmless");
      expect(names.filter((name: string) => /^mf-|^cf-(?!connecting-ip$)|^x-agentworks-(?!edge$)/.test(name))).toEqual(
        [],
      );
      // The edge's own word, and it alone.
      const from = answer.headers.filter(([name]: [string]) => name === "cf-connecting-ip");
      expect(from).toEqual([["cf-connecting-ip", expect.stringMatching(/^(::1|(::ffff:)?127\.0\.0\.1)$/)]]);
      expect(Object.fromEntries(answer.headers)["x-agentworks-edge"]).toBe(edge.edgeSecret);
    }
  });
});

describe("plain requests", () => {
  test("bodies pass both ways, on either port", async () => {
    const body = "x".repeat(bounds.bodyBytesMax);
    const answer = await ask(edge.agentsUrl, "/seen", { ca, identity: planner, method: "POST", body });
    expect(JSON.parse(answer.body)).toMatchObject({ method: "POST", bodyLength: body.length });
    const api = await fetch(`${edge.apiUrl}/seen`, { method: "PUT", body });
    expect(await api.json()).toMatchObject({ method: "PUT", bodyLength: body.length });
  });

  test("a body that is too large is refused as such, declared or not, however much is on its way", async () => {
    const body = "x".repeat(20 * bounds.bodyBytesMax);
    for (const headers of [{ "Content-Length": String(body.length) }, { "Transfer-Encoding": "chunked" }]) {
      const refused = await ask(edge.agentsUrl, "/seen", { ca, method: "POST", headers, body });
      const type = "urn:agentworks:error:request_too_large";
      expect(JSON.parse(refused.body)).toMatchObject({ type, title: "Request too large", status: 413 });
      expect(refused.status).toBe(413);
    }
  });

  test("a body on a GET is a body, not a second request", async () => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    const socket = connectTcp(Number(new URL(edge.apiUrl).port), "127.0.0.1");
    const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    socket.write(`GET /seen HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}`);
    let text = "";
    socket.on("data", (data: Buffer) => {
      text += data;
    });
    await once(socket, "close");
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(text).toContain(`"bodyLength":${smuggled.length}`);
  });

  test("too large a head is refused, an absolute target too", async () => {
    const large = await ask(edge.agentsUrl, "/seen", { ca, headers: { "x-large": "x".repeat(20_000) } });
    expect(large.status).toBe(431);
    const socket = connectTcp(Number(new URL(edge.apiUrl).port), "127.0.0.1");
    socket.end("GET http://elsewhere/ HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 .*invalid_request/s);
  });

  test("TLS below 1.2 is refused", async () => {
    const port = Number(new URL(edge.agentsUrl).port);
    const old = connectTls({
      port,
      host: "localhost",
      ca,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL:@SECLEVEL=0",
    });
    await expect(once(old, "secureConnect")).rejects.toThrow();
  });
});

describe("WebSockets", () => {
  test("frames come back whole and in order, large ones too", async () => {
    const socket = await connect(`${edge.agentsUrl}/socket`, ca, planner);
    const sizes = [1, 125, 126, 65_535, 65_536, 500_000, 3];
    const echoed: number[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on("message", (data: Buffer) => {
        echoed.push(data.length);
        if (echoed.length === sizes.length) resolve();
      });
    });
    for (const size of sizes) socket.send("x".repeat(size));
    await all;
    expect(echoed).toEqual(sizes);
    const closed = once(socket, "close");
    socket.close(1000);
    expect((await closed)[0]).toBe(1000);
  });

  test("a refusal is passed on as a response and ends the connection: nobody gets a raw pipe inwards", async () => {
    const { port } = new URL(edge.agentsUrl);
    const socket = connectTls({
      port: Number(port),
      host: "localhost",
      ca,
      cert: planner.certificate,
      key: planner.key,
    });
    const upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==";
    const second = "GET /seen HTTP/1.1\r\nHost: localhost\r\n\r\n";
    socket.write(`GET /refuse HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n\r\n${second}`);
    let text = "";
    socket.on("data", (data: Buffer) => {
      text += data;
    });
    await once(socket, "close");
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(text).toContain('{"reason":"refused"}');
  });

  test("cut destroys the connections that the filter names, at both ends, and no others", async () => {
    const analyst = await edge.authority.issueAgent("analyst");
    const [first, second] = await Promise.all([
      connect(`${edge.agentsUrl}/socket`, ca, planner),
      connect(`${edge.agentsUrl}/socket`, ca, analyst),
    ]);
    const closed = once(first, "close");
    expect(await edge.edge.cut({ commonName: "planner", path: /elsewhere/ })).toBe(0);
    expect(await edge.edge.cut({ commonName: "planner", path: /socket$/, upgraded: true })).toBe(1);
    expect((await closed)[0]).toBe(1006);
    second.send("still here");
    expect(String((await once(second, "message"))[0])).toBe("still here");
    await until(async () => (await (await fetch(`${edge.apiUrl}/sockets`)).json()) === 1);
    second.terminate();
    await until(async () => (await (await fetch(`${edge.apiUrl}/sockets`)).json()) === 0);
    await until(async () => (await edge.edge.connections()).length === 0);
  });

  test("clients that come and go leave no socket of the edge behind", async () => {
    const { hostname: host, port } = new URL(String(edge.innerUrl()));
    // In this thread, whose sockets can be counted.
    const here = await openListeners(
      {
        agentsPort: 0,
        apiPort: 0,
        secret: edge.edgeSecret,
        server: await edge.authority.issueServer(),
        clientCas: edge.clientCas,
      },
      () => ({ host, port: Number(port) }),
    );
    try {
      const open = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
      const before = open();
      for (let i = 0; i < 30; i++) {
        const socket = await connect(`wss://localhost:${here.agentsPort}/socket`, ca, planner);
        if (i % 2 === 0) socket.terminate();
        else socket.close();
      }
      // Well within the five seconds after which the edge would tidy up anyway.
      await until(() => open() <= before + 1, 2_000);
    } finally {
      await here.close();
    }
  });
});

test("after a crash of workerd the edge finds the new one", async () => {
  const before = edge.workerdPid();
  if (before === undefined) throw new Error("no workerd");
  process.kill(before, "SIGKILL");
  await until(async () => edge.workerdPid() !== before && (await answers()));
  expect((await seen(planner)).cf.tlsClientAuth.certVerified).toBe("SUCCESS");
});

test("a workerd that is killed while it starts is started again, however often", async () => {
  let killed: number | undefined;
  const fresh = () => (edge.workerdPid() === killed ? undefined : edge.workerdPid());
  for (let kill = 0; kill < 10; kill++) {
    await until(() => fresh() !== undefined);
    // Every other one as soon as it is there: it is up some hundred milliseconds later.
    if (kill % 2 === 0) await until(() => edge.innerUrl() !== undefined);
    killed = fresh();
    if (killed !== undefined) process.kill(killed, "SIGKILL");
  }
  await until(answers);
  expect((await seen(planner)).cf.tlsClientAuth.certVerified).toBe("SUCCESS");
}, 60_000);

test("a CA file that is none is one clear sentence", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.dir, "own.pem");
  const start = async (clientCaFile: string) =>
    startWorkerBehindEdge({ stateDir: join(folder.dir, "state"), worker: await echoWorker(), clientCaFile });
  await expect(start(file)).rejects.toThrow(/^Cannot read the CA file .*own\.pem/);
  await writeFile(file, "hello");
  await expect(start(file)).rejects.toThrow(/holds no CA certificate in PEM form/);
  await writeFile(file, planner.certificate);
  await expect(start(file)).rejects.toThrow(/holds no CA certificate in PEM form/);
});
