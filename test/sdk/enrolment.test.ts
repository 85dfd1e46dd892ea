// Enrolment through a network that loses answers: the token was used, and the machine gets its certificate all the same.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certifyAgent } from "../../sdk/typescript/src/certificates/certify.ts";
import { HttpApi } from "../../sdk/typescript/src/http/http-api.ts";
import { Dialing } from "../e2e/dialing.ts";
import { lossy } from "./lossy.ts";

let dialing: Dialing;
beforeAll(async () => {
  dialing = await Dialing.start();
});
afterAll(() => dialing.close());

async function newToken(agent: string): Promise<string> {
  await dialing.administer("POST", "/v1/agents", { agent_id: agent });
  const answer = await dialing.administer("POST", `/v1/agents/${agent}/enrolment-tokens`, {});
  return ((await answer.json()) as { token: string }).token;
}

test("asks again when the answer is lost, and gets the certificate that its token was traded for", async () => {
  await using network = await lossy(dialing.broker.apiUrl, ["all", "rest"]);
  const api = new HttpApi({ url: network.url, credential: await newToken("unlucky") });
  const identity = await certifyAgent({ api, agent: undefined, dirOf: () => join(dialing.dir, "unlucky") });
  expect(identity.agent).toBe("unlucky");
  expect(network.asked.map(({ what }) => what)).toEqual(Array(3).fill("POST /v1/enrolments"));
  const listed = await dialing.administer("GET", "/v1/agents/unlucky/certificates");
  const { certificates } = (await listed.json()) as { certificates: { fingerprint: string }[] };
  expect(certificates.map(({ fingerprint }) => fingerprint)).toEqual([identity.fingerprint]);
});

test("a folder that takes no files is refused before the token is used", async () => {
  const credential = await newToken("homeless");
  const api = new HttpApi({ url: dialing.broker.apiUrl, credential });
  const enrol = (dir: string) => certifyAgent({ api, agent: undefined, dirOf: () => dir });
  for (const dir of ["/proc/self/fd", "/proc/nowhere/at/all"]) {
    await expect(enrol(dir)).rejects.toMatchObject({ reason: "invalid_argument" });
  }
  expect(await enrol(join(dialing.dir, "home"))).toMatchObject({ agent: "homeless" });
});

test("only the agent's own folder is kept out of repositories; of one that was there, only the key", async () => {
  const ignored = async (...path: string[]) =>
    readFile(join(dialing.dir, ...path, ".gitignore"), "utf8").catch(() => undefined);
  await mkdir(join(dialing.dir, "project", "there"), { recursive: true });
  for (const name of ["new", "there"]) {
    const api = new HttpApi({ url: dialing.broker.apiUrl, credential: await newToken(name) });
    await certifyAgent({ api, agent: undefined, dirOf: () => join(dialing.dir, "project", name) });
  }
  const found = [await ignored("project"), await ignored("project", "new"), await ignored("project", "there")];
  expect(found).toEqual([undefined, "*\n", "key.pem\n"]);
});

test("gives up when no answer comes at all, and does not ask again where it was refused", async () => {
  await using network = await lossy(dialing.broker.apiUrl, ["all", "all", "all", "all"]);
  const enrol = async (credential: string) => {
    const api = new HttpApi({ url: network.url, credential });
    return certifyAgent({ api, agent: undefined, dirOf: () => join(dialing.dir, "never") });
  };
  await expect(enrol(await newToken("never"))).rejects.toMatchObject({ reason: "connection_failed" });
  expect(network.asked).toHaveLength(4);
  const unknown = `awe_${"a".repeat(16)}_${"A".repeat(43)}`;
  await expect(enrol(unknown)).rejects.toMatchObject({ reason: "enrolment_token_invalid" });
  expect(network.asked).toHaveLength(5);
});
