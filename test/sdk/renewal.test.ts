// Certificates that renew themselves, on a real broker: lives of seconds instead of months.
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operatorOf } from "../../scripts/certificates/certify.ts";
import {
  certificateOf,
  type Identity,
  type IdentityFiles,
  readPair,
  settleIdentity,
  writeIdentity,
} from "../../sdk/typescript/src/certificates/files.ts";
import { judgeAnswer, Renewal, renewalTime } from "../../sdk/typescript/src/certificates/renewal.ts";
import { makeKeyAndRequest } from "../../sdk/typescript/src/certificates/signing-request.ts";
import {
  type Agent,
  type AgentworksError,
  type ConnectOptions,
  connect,
  fromEnvironment,
} from "../../sdk/typescript/src/index.ts";
import { next, reasonOf, Stage, sessionBetween, until } from "./fixtures.ts";

let stage: Stage;
let dir: string;
beforeAll(async () => {
  stage = await Stage.set();
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "agentworks-renewal-"));
  return async () => {
    await stage.clear();
    await rm(dir, { recursive: true, force: true });
  };
});

/** A cable between an agent and the broker, to be pulled: nobody answers any more, and what was open is cut. */
class Cable implements AsyncDisposable {
  readonly #target: number;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  private constructor(target: number) {
    this.#target = target;
  }

  static async to(target: number): Promise<Cable> {
    const cable = new Cable(target);
    await cable.plugIn();
    return cable;
  }

  async plugIn(): Promise<void> {
    this.#server = createServer((near) => {
      const far = createConnection(this.#target, "localhost");
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#open.add(from);
        from.on("error", () => to.destroy());
        from.on("close", () => this.#open.delete(from));
        from.pipe(to);
      }
    });
    this.#server.listen(this.port, "localhost");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async pull(): Promise<void> {
    const closed = new Promise((done) => this.#server?.close(done));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pull();
  }
}

const certificateIn = async (file: string) => new X509Certificate(await readFile(file));

/** An agent whose certificate lasts for so long, registered, with its files. */
async function shortLived(
  agent: string,
  lifeMs: number,
  name = agent,
): Promise<ConnectOptions & { certFile: string; keyFile: string; caFile: string }> {
  const { broker } = stage;
  const now = Date.now();
  // A certificate's times are whole seconds.
  const validity = { notBefore: new Date(now - 1000), notAfter: new Date(now + lifeMs) };
  const { certificate, key } = await broker.authority.issueAgent(agent, validity);
  await operatorOf(broker).request("POST /v1/certificates", { body: { agent_id: agent, certificate } });
  const [certFile, keyFile] = [join(dir, `${name}.pem`), join(dir, `${name}.key`)];
  await writeFile(certFile, certificate);
  await writeFile(keyFile, key, { mode: 0o644 });
  return { url: broker.agentsUrl, certFile, keyFile, caFile: broker.caFile };
}

const pairIn = async ({ certFile, keyFile }: IdentityFiles): Promise<Identity> => ({
  cert: await readFile(certFile, "utf8"),
  key: await readFile(keyFile, "utf8"),
});

async function connected(options: ConnectOptions): Promise<Agent> {
  const agent = await connect({ recover: false, reconnect: { baseMs: 5, maxMs: 50 }, ...options });
  stage.keep(agent);
  return agent;
}

describe("connect({ renew: true })", () => {
  test.each([false, true])(
    "outlives its certificate more than once, and drops nothing (direct: %s)",
    async (direct) => {
      const name = direct ? "direct" : "multiplexed";
      const options = await shortLived(name, 6_000);
      const before = await certificateIn(options.certFile);
      const agent = await connected({ ...options, renew: true, direct });
      const peer = await stage.connect(`${name}-peer`);
      await agent.handle("echo", (input) => input);
      const { here, there } = await sessionBetween(agent, peer);
      const statuses = agent.status();
      const messages = there.messages();

      let renewals = 0;
      const counting = (async () => {
        for await (const status of statuses) if (status.type === "certificate_renewed") renewals++;
      })();
      let sent = 0;
      while (renewals < 2 || Date.now() < before.validToDate.getTime()) {
        const [, heard] = await Promise.all([here.send(sent), next(messages)]);
        expect(heard.content).toBe(sent);
        const answer = await there.request("echo", sent).result;
        expect(answer).toBe(sent);
        sent++;
      }
      expect(sent).toBeGreaterThan(50);
      await agent.close();
      await counting;

      const after = await certificateIn(options.certFile);
      expect(after.validToDate.getTime()).toBeGreaterThan(before.validToDate.getTime());
      for (const file of [options.certFile, options.keyFile]) expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await readdir(dir)).filter((file) => file.endsWith(".new"))).toEqual([]);
    },
  );

  test("says what is wrong, and tries again, while the files cannot be written", async () => {
    const options = await shortLived("stuck", 6_000);
    const agent = await connected({ ...options, renew: true });
    const statuses = agent.status();
    // Not even root may write to a folder that is not there.
    await rename(dir, `${dir}-away`);
    const fault = await until(statuses, "fault");
    expect(fault.error.reason).toBe("renewal_failed");
    await rename(`${dir}-away`, dir);
    const { notAfter } = await until(statuses, "certificate_renewed");
    expect(notAfter.getTime()).toBeGreaterThan(Date.now());
    const { certificates } = await operatorOf(stage.broker).request("GET /v1/agents/{agent_id}/certificates", {
      path: { agent_id: "stuck" },
    });
    // Nothing was asked for while it could not be kept.
    expect(certificates).toHaveLength(2);
  });

  test("tries again, before the end, while the broker is away", async () => {
    const options = await shortLived("patient", 9_000);
    await using cable = await Cable.to(Number(new URL(stage.broker.agentsUrl).port));
    const agent = await connected({ ...options, url: `wss://localhost:${cable.port}`, renew: true });
    const statuses = agent.status();
    await cable.pull();
    const { error } = await until(statuses, "fault");
    expect([error.reason, error.retryable]).toEqual(["connection_failed", true]);
    await cable.plugIn();
    const before = (await certificateIn(options.certFile)).validToDate;
    const { notAfter } = await until(statuses, "certificate_renewed");
    expect(notAfter.getTime()).toBeGreaterThan(before.getTime());
    expect(Date.now()).toBeLessThan(before.getTime());
    await until(statuses, "connected");
  });

  test("goes on with the present one while the broker refuses another", async () => {
    const options = await shortLived("refused", 9_000);
    const operator = operatorOf(stage.broker);
    const path = { agent_id: "refused" };
    const more: string[] = [];
    // As many as an agent may have.
    while (more.length < 19) {
      const { csr } = await makeKeyAndRequest("refused");
      const issued = await operator.request("POST /v1/agents/{agent_id}/certificates", { path, body: { csr } });
      more.push(issued.fingerprint);
    }
    const agent = await connected({ ...options, renew: true });
    const statuses = agent.status();
    expect((await until(statuses, "fault")).error.reason).toBe("too_many_certificates");
    await operator.request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint: more[0] ?? "" } });
    await until(statuses, "certificate_renewed");
    await until(statuses, "connected");
  });

  test("what is revoked does not renew itself", async () => {
    const options = await shortLived("revoked", 6_000);
    const { cert, key } = await pairIn(options);
    const agent = await connected({ ...options, renew: true });
    const ended = (async () => {
      for await (const status of agent.status()) if (status.type === "disconnected") return status.code;
      return undefined;
    })();
    const fingerprint = (await certificateIn(options.certFile)).fingerprint256.replaceAll(":", "").toLowerCase();
    await operatorOf(stage.broker).request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } });
    expect(await ended).toBe(4403);
    const ca = await readFile(options.caFile);
    const renewal = new Renewal(new URL(stage.broker.agentsUrl), options, { cert, key, ca }, () => 0);
    const { promise, resolve, reject } = Promise.withResolvers<AgentworksError>();
    renewal.start("revoked", { failed: resolve, renewed: () => reject(new Error("it was renewed")) });
    expect((await promise).reason).toBe("certificate_revoked");
    renewal.stop();
    expect((await pairIn(options)).cert).toBe(cert);
  });

  test("takes the certificate that another process has renewed", async () => {
    const options = await shortLived("shared", 6_000);
    const agent = await connected({ ...options, renew: true });
    const statuses = agent.status();
    const fresh = await pairIn(await shortLived("shared", 60_000, "elsewhere"));
    await writeIdentity(options, fresh);
    const { notAfter } = await until(statuses, "certificate_renewed");
    expect(notAfter).toEqual(new X509Certificate(fresh.cert).validToDate);
    await until(statuses, "connected");
    expect((await pairIn(options)).cert).toBe(fresh.cert);
  });

  test("needs files and reconnects, and says so", async () => {
    const { url, certFile, keyFile, caFile } = await shortLived("inline", 60_000);
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    expect(await reasonOf(connect({ url, cert, key, caFile, renew: true }))).toBe("invalid_argument");
    const never = connect({ url, certFile, keyFile, caFile, renew: true, reconnect: false });
    expect(await reasonOf(never)).toBe("invalid_argument");
  });
});

test("renewal is at two thirds of the life, spread a little", async () => {
  const { certFile } = await shortLived("timely", 299_000);
  const certificate = await certificateIn(certFile);
  const from = certificate.validFromDate.getTime();
  expect(Math.round(renewalTime(certificate, 0) - from)).toBe(200_000);
  expect(Math.round(renewalTime(certificate, 0.999) - from)).toBeLessThanOrEqual(215_000);
});

test("an answer that is not what was asked for is not used", async () => {
  const present = await certificateIn((await shortLived("asker", 60_000)).certFile);
  const { cert, key } = await pairIn(await shortLived("asker", 120_000));
  const other = await pairIn(await shortLived("other", 120_000));
  const asked = { agent: "asker", key, present, nowMs: Date.now() };
  const judge = (answer: unknown, more: object = {}) => judgeAnswer(answer, { ...asked, ...more });
  expect(judge({ agent_id: "asker", certificate: cert })).toBe(cert);
  for (const [answer, more, why] of [
    [null, {}, /no certificate/],
    [{ agent_id: "other", certificate: cert }, {}, /for other/],
    [{ agent_id: "asker", certificate: "nonsense" }, {}, /cannot be read/],
    [{ agent_id: "asker", certificate: other.cert }, {}, /another key/],
    [{ agent_id: "asker", certificate: cert }, { present: new X509Certificate(cert) }, /does not last longer/],
    [{ agent_id: "asker", certificate: cert }, { nowMs: Date.now() - 3_600_000 }, /not valid yet/],
  ] as const) {
    expect(() => judge(answer, more)).toThrow(why);
    expect(() => judge(answer, more)).toThrow(/^renewal_failed/);
  }
});

describe("the two files", () => {
  /** Two identities of one agent, each in a folder of its own. */
  async function identities(agent: string): Promise<{ folders: string[]; pairs: Identity[] }> {
    const folders: string[] = [];
    const pairs: Identity[] = [];
    for (const name of ["a", "b"]) {
      const pair = await pairIn(await shortLived(agent, 60_000));
      const folder = join(dir, name);
      await mkdir(folder);
      await writeIdentity({ certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }, pair);
      folders.push(folder);
      pairs.push(pair);
    }
    return { folders, pairs };
  }

  test("a process that died between them leaves a pair that is used, and put right", async () => {
    const options = await shortLived("halfway", 60_000);
    const { certFile, keyFile } = options;
    const old = await pairIn(options);
    const fresh = await pairIn(await shortLived("halfway", 60_000));
    await writeIdentity(options, fresh);
    // As far as writeIdentity comes when it dies after the first of its two renames.
    await writeFile(certFile, old.cert);
    expect(certificateOf(old.cert, await readFile(keyFile, "utf8"))).toBe(fresh.cert);
    expect((await connected(options)).id).toBe("halfway");
    expect(await readFile(certFile, "utf8")).toBe(old.cert);
    expect((await connected({ ...options, renew: true })).id).toBe("halfway");
    expect(await readFile(certFile, "utf8")).toBe(fresh.cert);
    await rm(certFile);
    await settleIdentity(options);
    expect(await readPair(options)).toEqual({ cert: fresh.cert, key: await readFile(keyFile, "utf8") });
  });

  test("a pair that does not fit, and has nothing that does, is left alone", async () => {
    const [one, other] = [await shortLived("one", 60_000), await shortLived("other", 60_000)];
    // Another agent's certificate is with its key: nobody becomes that by a wrong path.
    await writeIdentity(other, await pairIn(other));
    const files = { certFile: one.certFile, keyFile: other.keyFile };
    const before = await readFile(one.certFile, "utf8");
    await settleIdentity(files);
    expect([await readPair(files), await readFile(one.certFile, "utf8")]).toEqual([undefined, before]);
    expect(await reasonOf(connect({ ...one, ...files }))).toBe("invalid_argument");
  });

  test("they are their owner's alone, and drafts of the dead are removed when they are old", async () => {
    const options = await shortLived("kept", 60_000);
    const fresh = await pairIn(await shortLived("kept", 60_000));
    await chmod(options.certFile, 0o666);
    await writeIdentity(options, fresh);
    for (const file of [options.certFile, options.keyFile]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    const [old, young] = [`${options.keyFile}.${"0".repeat(16)}.new`, `${options.keyFile}.${"1".repeat(16)}.new`];
    for (const path of [old, young, `${options.keyFile}.mine.new`]) await writeFile(path, "half a k");
    await utimes(old, 0, 0);
    await settleIdentity(options);
    expect((await readdir(dir)).sort()).toEqual(["kept.key", basename(young), "kept.key.mine.new", "kept.pem"].sort());
  });

  test("processes that replace them at once, and die at any moment, never leave a pair that does not fit", async () => {
    const options = await shortLived("contested", 60_000);
    const { folders } = await identities("contested");
    const program = fileURLToPath(new URL("./renewal-program.ts", import.meta.url));
    const args = [program, options.certFile, options.keyFile];
    const steady = spawn(process.execPath, [...args, ...folders], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      for (let life = 0; life < 8; life++) {
        const child = spawn(process.execPath, [...args, ...folders.toReversed()], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let written = 0;
        const killAt = 20 + life * 7;
        for await (const chunk of child.stdout) {
          written += String(chunk).split("written").length - 1;
          expect(await readPair(options)).toBeDefined();
          if (written >= killAt) child.kill("SIGKILL");
        }
        expect(await readPair(options)).toBeDefined();
      }
    } finally {
      const gone = once(steady, "exit");
      steady.kill("SIGKILL");
      await gone;
    }
    await settleIdentity(options);
    const { cert } = await pairIn(options);
    expect(cert).toBe((await readPair(options))?.cert);
  });
});

test("fromEnvironment says what is missing", () => {
  const env = { AGENTWORKS_URL: "wss://localhost:1", AGENTWORKS_CERT_FILE: "c", AGENTWORKS_KEY_FILE: "k" };
  expect(fromEnvironment(env)).toEqual({ url: "wss://localhost:1", certFile: "c", keyFile: "k", renew: true });
  expect(fromEnvironment({ ...env, AGENTWORKS_CA_FILE: "ca" })).toMatchObject({ caFile: "ca" });
  expect(() => fromEnvironment({})).toThrow(/agentworks agent run FILE/);
});
