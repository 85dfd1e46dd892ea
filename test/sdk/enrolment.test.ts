// Enrolment through a network that loses answers: the token was used, and the machine gets its certificate all the same.
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certifyAgent } from "../../sdk/typescript/src/certificates/certify.ts";
import { HttpApi } from "../../sdk/typescript/src/http-api.ts";
import { Dialing } from "../e2e/dialing.ts";

let dialing: Dialing;
beforeAll(async () => {
  dialing = await Dialing.start();
});
afterAll(() => dialing.close());

/** Hands requests on to the broker's API, and loses its first answers, whole or after their beginning. */
async function lossy(losses: ("all" | "rest")[]): Promise<{ url: string; asked: string[]; server: Server }> {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? "", dialing.broker.apiUrl), { method, headers }, async (answer) => {
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
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
}

async function newToken(agent: string): Promise<string> {
  await dialing.administer("POST", "/v1/agents", { agent_id: agent });
  const answer = await dialing.administer("POST", `/v1/agents/${agent}/enrolment-tokens`, {});
  return ((await answer.json()) as { token: string }).token;
}

test("asks again when the answer is lost, and gets the certificate that its token was traded for", async () => {
  const { url, asked, server } = await lossy(["all", "rest"]);
  try {
    const api = new HttpApi({ url, credential: await newToken("unlucky") });
    const identity = await certifyAgent({ api, agent: undefined, dirOf: () => join(dialing.dir, "unlucky") });
    expect(identity.agent).toBe("unlucky");
    expect(asked).toEqual(Array(3).fill("POST /v1/enrolments"));
    const listed = await dialing.administer("GET", "/v1/agents/unlucky/certificates");
    const { certificates } = (await listed.json()) as { certificates: { fingerprint: string }[] };
    expect(certificates.map(({ fingerprint }) => fingerprint)).toEqual([identity.fingerprint]);
  } finally {
    server.close();
  }
});

test("gives up when no answer comes at all, and does not ask again where it was refused", async () => {
  const { url, asked, server } = await lossy(["all", "all", "all", "all"]);
  try {
    const enrol = async (credential: string) =>
      certifyAgent({
        api: new HttpApi({ url, credential }),
        agent: undefined,
        dirOf: () => join(dialing.dir, "never"),
      });
    await expect(enrol(await newToken("never"))).rejects.toMatchObject({ reason: "connection_failed" });
    expect(asked).toHaveLength(4);
    const unknown = `awe_${"a".repeat(16)}_${"A".repeat(43)}`;
    await expect(enrol(unknown)).rejects.toMatchObject({ reason: "enrolment_token_invalid" });
    expect(asked).toHaveLength(5);
  } finally {
    server.close();
  }
});
