// Certificates that renew themselves, on a real broker: lives of seconds instead of months.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operatorOf } from "../../scripts/certificates/certify.ts";
import { draftKey, settleIdentity, writeIdentity } from "../../sdk/typescript/src/certificates/files.ts";
import { renewalTime } from "../../sdk/typescript/src/certificates/renewal.ts";
import { type Agent, type ConnectOptions, connect, fromEnvironment } from "../../sdk/typescript/src/index.ts";
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

const certificateIn = async (file: string) => new X509Certificate(await readFile(file));

/** An agent whose certificate lasts for so long, registered, with its files. */
async function shortLived(
  agent: string,
  lifeMs: number,
): Promise<ConnectOptions & { certFile: string; keyFile: string; caFile: string }> {
  const { broker } = stage;
  const now = Date.now();
  // A certificate's times are whole seconds.
  const validity = { notBefore: new Date(now - 1000), notAfter: new Date(now + lifeMs) };
  const { certificate, key } = await broker.authority.issueAgent(agent, validity);
  await operatorOf(broker).ask("POST", "/v1/certificates", { agent_id: agent, certificate });
  const [certFile, keyFile] = [join(dir, `${agent}.pem`), join(dir, `${agent}.key`)];
  await writeFile(certFile, certificate);
  await writeFile(keyFile, key, { mode: 0o644 });
  return { url: broker.agentsUrl, certFile, keyFile, caFile: broker.caFile };
}

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

      const end = Date.now() + 14_000;
      let renewals = 0;
      const counting = (async () => {
        for await (const status of statuses) if (status.type === "certificate_renewed") renewals++;
      })();
      let sent = 0;
      while (Date.now() < end) {
        const [, heard] = await Promise.all([here.send(sent), next(messages)]);
        expect(heard.content).toBe(sent);
        const answer = await there.request("echo", sent).result;
        expect(answer).toBe(sent);
        sent++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(sent).toBeGreaterThan(50);
      expect(renewals).toBeGreaterThanOrEqual(2);
      await agent.close();
      await counting;

      const after = await certificateIn(options.certFile);
      expect(after.validToDate.getTime()).toBeGreaterThan(before.validToDate.getTime() + 4_000);
      for (const file of [options.certFile, options.keyFile]) expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await readdir(dir)).filter((file) => file.endsWith(".new"))).toEqual([]);
    },
  );

  test("says what is wrong, and tries again, while the files cannot be written", async () => {
    const options = await shortLived("stuck", 6_000);
    // A folder where the draft would be: not even root may write over it.
    const blocked = `${options.keyFile}.new`;
    const agent = await connected({ ...options, renew: true });
    const statuses = agent.status();
    await mkdir(blocked);
    const fault = await until(statuses, "fault");
    expect(fault.error.reason).toBe("renewal_failed");
    await rm(blocked, { recursive: true });
    const { notAfter } = await until(statuses, "certificate_renewed");
    expect(notAfter.getTime()).toBeGreaterThan(Date.now());
    const { certificates } = await operatorOf(stage.broker).ask<{ certificates: object[] }>(
      "GET",
      "/v1/agents/stuck/certificates",
    );
    // Nothing was asked for while it could not be kept.
    expect(certificates).toHaveLength(2);
  });

  test("needs files, and says so", async () => {
    const { url, certFile, keyFile, caFile } = await shortLived("inline", 60_000);
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    expect(await reasonOf(connect({ url, cert, key, caFile, renew: true }))).toBe("invalid_argument");
  });
});

test("renewal is at two thirds of the life, spread a little", async () => {
  const { certFile } = await shortLived("timely", 299_000);
  const certificate = await certificateIn(certFile);
  const from = certificate.validFromDate.getTime();
  expect(Math.round(renewalTime(certificate, 0) - from)).toBe(200_000);
  expect(Math.round(renewalTime(certificate, 0.999) - from)).toBeLessThanOrEqual(215_000);
});

describe("the two files", () => {
  const fits = async ({ certFile, keyFile }: { certFile: string; keyFile: string }) => {
    return (await certificateIn(certFile)).checkPrivateKey(createPrivateKey(await readFile(keyFile)));
  };

  test("a process that died between them is put right by the next", async () => {
    const [old, fresh] = [await shortLived("old", 60_000), await shortLived("fresh", 60_000)];
    const [cert, key] = await Promise.all([readFile(fresh.certFile, "utf8"), readFile(fresh.keyFile, "utf8")]);
    // As far as writeIdentity comes when it dies after the first of its two renames.
    await writeFile(`${old.certFile}.new`, cert);
    await writeFile(`${old.keyFile}.new`, key);
    await rename(`${old.keyFile}.new`, old.keyFile);
    expect(await fits(old)).toBe(false);
    await settleIdentity(old);
    expect(await fits(old)).toBe(true);
    expect(await readFile(old.certFile, "utf8")).toBe(cert);
    await expect(readFile(`${old.certFile}.new`)).rejects.toThrow();
  });

  test("one that died before it leaves what was there", async () => {
    const old = await shortLived("kept", 60_000);
    const before = await readFile(old.certFile, "utf8");
    await draftKey(old, "half a k");
    await writeFile(`${old.certFile}.new`, "half a certif");
    await settleIdentity(old);
    expect(await readFile(old.certFile, "utf8")).toBe(before);
    expect((await readdir(dir)).sort()).toEqual(["kept.key", "kept.pem"]);
    const other = await shortLived("other", 60_000);
    const [cert, key] = await Promise.all([readFile(other.certFile, "utf8"), readFile(other.keyFile, "utf8")]);
    await chmod(old.certFile, 0o666);
    await writeIdentity(old, { cert, key });
    expect(await fits(old)).toBe(true);
    expect((await stat(old.certFile)).mode & 0o777).toBe(0o600);
  });
});

test("fromEnvironment says what is missing", () => {
  const env = { AGENTWORKS_URL: "wss://localhost:1", AGENTWORKS_CERT_FILE: "c", AGENTWORKS_KEY_FILE: "k" };
  expect(fromEnvironment(env)).toEqual({ url: "wss://localhost:1", certFile: "c", keyFile: "k", renew: true });
  expect(fromEnvironment({ ...env, AGENTWORKS_CA_FILE: "ca" })).toMatchObject({ caFile: "ca" });
  expect(() => fromEnvironment({})).toThrow(/agentworks agent run FILE/);
});
