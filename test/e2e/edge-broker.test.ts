// The embedded broker with the real Worker: who is let in over real TLS, and what a state folder keeps and refuses.

import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/broker/broker.ts";
import { runningBroker, StateFolder } from "../../scripts/broker/state-folder.ts";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { type CertifiedAgent, certifyAgent } from "../../scripts/certificates/certify.ts";
import { ask, echoWorker, type Identity, temporaryFolder } from "./edge-fixtures.ts";

const dayMs = 24 * 60 * 60 * 1000;

const identityOf = async ({ certificateFile, keyFile }: CertifiedAgent): Promise<Identity> => ({
  certificate: await readFile(certificateFile, "utf8"),
  key: await readFile(keyFile, "utf8"),
});

describe("a running broker", () => {
  let broker: Broker;
  let ca: string;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    broker = await startBroker({ stateDir: join(folder.dir, "state") });
    ca = broker.authority.certificate;
  });
  afterAll(async () => {
    await broker.close();
    await folder[Symbol.asyncDispose]();
  });

  const reason = async (identity?: Identity, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await ask(broker.agentsUrl, "/v1/agents", { ca, identity, headers });
    return answer.status === 401 || answer.status === 403 ? JSON.parse(answer.body).reason : `HTTP ${answer.status}`;
  };
  const add = (agentId: string) => certifyAgent({ stateDir: broker.stateDir, agentId });

  test("a certified agent is let in, over plain HTTPS too", async () => {
    expect(await reason(await identityOf(await add("planner")))).toBe("HTTP 200");
  });

  test("everybody else is refused, with the reason", async () => {
    const now = Date.now();
    const past = { notBefore: new Date(now - 2 * dayMs), notAfter: new Date(now - dayMs) };
    const future = { notBefore: new Date(now + dayMs), notAfter: new Date(now + 2 * dayMs) };
    const stranger = await openAuthority(folder.dir);
    expect(await reason()).toBe("credentials_required");
    expect(await reason(await stranger.issueAgent("planner"))).toBe("certificate_untrusted");
    expect(await reason(await broker.authority.issueAgent("planner", past))).toBe("certificate_expired");
    expect(await reason(await broker.authority.issueAgent("planner", future))).toBe("certificate_not_yet_valid");
    expect(await reason(await broker.authority.issueAgent("planner"))).toBe("certificate_unknown");
  });

  test("the audit log says from where, whatever a client claims", async () => {
    const headers = { authorization: `Bearer ${broker.apiKey}`, "cf-connecting-ip": "192.0.2.7" };
    const made = await fetch(`${broker.apiUrl}/v1/agents`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", "user-agent": "test/1.0" },
      body: JSON.stringify({ agent_id: "logged" }),
    });
    expect(made.status).toBe(201);
    const { entries } = (await (await fetch(`${broker.apiUrl}/v1/audit-log`, { headers })).json()) as {
      entries: object[];
    };
    expect(entries[0]).toMatchObject({
      action: "agent.create",
      target: "logged",
      actor: expect.stringMatching(/^key:/),
      address: expect.stringMatching(/^(::1|(::ffff:)?127\.0\.0\.1)$/),
      user_agent: "test/1.0",
    });
  });

  test("a forged MF-CF-Blob helps nobody: ignored by the edge, refused at the inner port", async () => {
    const { fingerprint } = await add("analyst");
    const tlsClientAuth = {
      certPresented: "1",
      certVerified: "SUCCESS",
      certRevoked: "0",
      certFingerprintSHA256: fingerprint,
    };
    const forged = {
      "MF-CF-Blob": JSON.stringify({ tlsClientAuth: { ...tlsClientAuth, certNotAfter: "Jan  1 00:00:00 2040 GMT" } }),
      "X-Agentworks-Edge": "guess",
    };
    expect(await reason(undefined, forged)).toBe("credentials_required");
    for (const base of [broker.innerUrl(), String(await broker.miniflare.ready).replace(/\/$/, "")]) {
      const inner = await fetch(`${base}/v1/agents`, { headers: forged });
      expect([inner.status, await inner.json()]).toMatchObject([403, { reason: "edge_required" }]);
    }
  });

  test("certified again: the old certificate still works, its files are replaced", async () => {
    const old = await identityOf(await add("writer"));
    const renewed = await add("writer");
    expect(await reason(old)).toBe("HTTP 200");
    expect(await reason(await identityOf(renewed))).toBe("HTTP 200");
    expect((await readFile(renewed.certificateFile, "utf8")) === old.certificate).toBe(false);
    expect((await stat(renewed.keyFile)).mode & 0o777).toBe(0o600);
  });

  test("what cannot be certified is one clear sentence", async () => {
    await expect(add("No Agent")).rejects.toThrow(/does not certify No Agent: invalid_request: .*agent_id: 1–64 of/);
    await expect(certifyAgent({ stateDir: folder.dir, agentId: "planner" })).rejects.toThrow(
      /^No broker is running on /,
    );
  });

  test("secrets are for the owner's eyes", async () => {
    for (const file of ["broker.json", "ca.key", "lock"]) {
      expect((await stat(join(broker.stateDir, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(broker.stateDir)).mode & 0o777).toBe(0o700);
  });

  test("a folder and a port that are in use are one clear sentence each", async () => {
    await expect(startBroker({ stateDir: broker.stateDir })).rejects.toThrow(
      /is in use by a running broker \(pid \d+\)/,
    );
    const other = join(folder.dir, "other");
    const { agentsPort, apiPort } = broker.edge;
    await expect(startBroker({ stateDir: other, agentsPort })).rejects.toThrow(
      `Port ${agentsPort} (agents) is in use: choose another with --agents-port`,
    );
    await expect(startBroker({ stateDir: other, apiPort })).rejects.toThrow(`Port ${apiPort} (API) is in use`);
    // Neither left a lock behind.
    await (await StateFolder.hold(other)).release();
  });

  test("wrangler's own table of migrations is kept", async () => {
    const database = await broker.miniflare.getD1Database("DB");
    const { results } = await database.prepare("SELECT name FROM d1_migrations ORDER BY id").all();
    expect(results[0]).toMatchObject({ name: expect.stringMatching(/^0000_.*\.sql$/) });
    expect(await database.prepare("SELECT id FROM accounts").first()).toEqual({ id: "local" });
  });
});

test("a restart keeps the CA and the registry, and takes the record away in between", async () => {
  await using folder = await temporaryFolder();
  const first = await startBroker({ stateDir: folder.dir });
  const identity = await identityOf(await certifyAgent({ stateDir: folder.dir, agentId: "planner" }));
  await first.close();
  await expect(runningBroker(folder.dir)).rejects.toThrow(/^No broker is running on /);
  const second = await startBroker({ stateDir: folder.dir });
  try {
    const answer = await ask(second.agentsUrl, "/v1/agents", { ca: first.authority.certificate, identity });
    expect(JSON.parse(answer.body).agents).toMatchObject([{ agent: "planner" }]);
  } finally {
    await second.close();
  }
});

describe("a bad state folder", () => {
  const start = async (stateDir: string) => startBroker({ stateDir, worker: await echoWorker() });

  test("not a directory, or one that cannot be made", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.dir, "file");
    await writeFile(file, "");
    await expect(start(file)).rejects.toThrow(/file is not a directory: name another state folder with --state/);
    await expect(start(join(file, "below"))).rejects.toThrow(/^Cannot make the state folder .*below \(ENOTDIR\)/);
  });

  test("a CA whose files are damaged, missing or not each other's", async () => {
    await using folder = await temporaryFolder();
    await using other = await temporaryFolder();
    await openAuthority(folder.dir);
    await openAuthority(other.dir);
    await writeFile(join(folder.dir, "ca.key"), await readFile(join(other.dir, "ca.key")));
    await expect(start(folder.dir)).rejects.toThrow(/CA is damaged .*: the key does not belong to the certificate/);
    await writeFile(join(folder.dir, "ca.pem"), "hello");
    await expect(start(folder.dir)).rejects.toThrow(/^The development CA is damaged \(/);
    await using third = await temporaryFolder();
    await mkdir(join(third.dir, "state"));
    await writeFile(join(third.dir, "state/ca.pem"), await readFile(join(other.dir, "ca.pem")));
    await expect(start(join(third.dir, "state"))).rejects.toThrow(/ca\.key is missing beside /);
  });

  test("a CA or a record in whose place there is something else", async () => {
    for (const [name, sentence] of [
      ["ca.pem", /^Cannot read .*ca\.pem of the development CA: EISDIR.*\. Restore it, or remove ca\.pem and ca\.key/],
      ["broker.json", /^Cannot write .*broker\.json: EISDIR.*\. Remove what is in its place/],
    ] as const) {
      await using folder = await temporaryFolder();
      await mkdir(join(folder.dir, name));
      await expect(start(folder.dir)).rejects.toThrow(sentence);
      await (await StateFolder.hold(folder.dir)).release();
    }
  });

  test("data that is damaged: garbage, a page of garbage, a file for a folder", async () => {
    await using folder = await temporaryFolder();
    await (await startBroker({ stateDir: folder.dir })).close();
    const data = join(folder.dir, "workerd");
    const files = await readdir(data, { recursive: true });
    const d1 = join(data, files.find((file) => /D1DatabaseObject.[0-9a-f]{64}\.sqlite$/.test(file)) ?? "");
    for (const log of ["-wal", "-shm"]) await rm(`${d1}${log}`, { force: true });
    const whole = await readFile(d1);
    const advice = "Restore that folder from a copy, or remove it to begin anew";
    const broken = (which: string) => `The broker's data in ${data} is damaged${which}. ${advice}`;
    const restart = () => startBroker({ stateDir: folder.dir });

    await writeFile(d1, whole.fill(0xa5, 100));
    await expect(restart()).rejects.toThrow(broken(""));
    await writeFile(d1, "hello");
    await expect(restart()).rejects.toThrow(broken(` (${d1})`));
    await rm(data, { recursive: true });
    await writeFile(data, "hello");
    await expect(restart()).rejects.toThrow(broken(""));
    await rm(data);
    await (await restart()).close();
  });

  test("the lock of a dead broker, or a damaged one, is taken over", async () => {
    await using folder = await temporaryFolder();
    for (const lock of ['{"holder":{"pid":999999,"started":"1"}}', "{"]) {
      await writeFile(join(folder.dir, "lock"), lock);
      await (await StateFolder.hold(folder.dir)).release();
    }
  });
});
