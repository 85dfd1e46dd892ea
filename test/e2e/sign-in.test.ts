// People over the real local edge: the link that `npm start` prints, the cookie that it sets, and where that cookie goes.
import type { ChildProcess } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/broker/broker.ts";
import { run, temporaryFolder, until } from "./edge-fixtures.ts";

const children: ChildProcess[] = [];
const brokers: Broker[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

interface Answer {
  status: number;
  location: string | undefined;
  cookies: string[];
  text: string;
}

/** One request over TLS, by a client that trusts the folder's CA and has no certificate. */
function ask(
  url: string,
  ca: string,
  method = "GET",
  headers: Record<string, string> = {},
  body = "",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => {
        text += part;
      });
      response.on("end", () => {
        const { location, "set-cookie": cookies = [] } = response.headers;
        resolve({ status: response.statusCode ?? 0, location, cookies, text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const cookieOf = ({ cookies: [cookie = ""] }: Answer) => cookie.split(";")[0] ?? "";

async function start(dir: string): Promise<{ broker: Broker; ca: string; origin: string }> {
  const broker = await startBroker({ stateDir: join(dir, "state") });
  brokers.push(broker);
  return {
    broker,
    ca: await readFile(broker.caFile, "utf8"),
    origin: broker.agentsUrl.replace("wss:", "https:"),
  };
}

describe("signing in on a laptop", () => {
  test("npm start prints a link over TLS that signs the owner of `local` in, once, and leads to /docs", async () => {
    await using folder = await temporaryFolder();
    const state = join(folder.dir, "state");
    const { child } = run("scripts/start.ts", ["--agents-port", "0", "--api-port", "0", "--state", state]);
    children.push(child);
    let printed = "";
    child.stdout?.on("data", (part) => {
      printed += part;
    });
    const shape = /https:\/\/localhost:\d+\/v1\/auth\/link\?token=[0-9a-f]{64}/;
    await until(() => shape.test(printed) || child.exitCode !== null, 30_000);
    const link = shape.exec(printed)?.[0] ?? "";
    const { origin } = new URL(link);
    const ca = await readFile(join(state, "ca.pem"), "utf8");

    const followed = await ask(link, ca);
    expect([followed.status, followed.location]).toEqual([302, "/docs"]);
    expect(followed.cookies).toHaveLength(1);
    expect(followed.cookies[0]).toMatch(/^__Host-agentworks-sign-in=.*; Secure/);
    for (const attribute of ["HttpOnly", "SameSite=Lax", "Path=/"]) expect(followed.cookies[0]).toContain(attribute);
    expect((await ask(`${origin}/docs`, ca)).status).toBe(200);

    const person = await ask(`${origin}/v1/person`, ca, "GET", { cookie: cookieOf(followed) });
    expect(JSON.parse(person.text)).toMatchObject({
      account: "local",
      accounts: [{ account: "local", role: "owner" }],
    });
    const again = await ask(link, ca);
    expect([again.status, JSON.parse(again.text).reason]).toEqual([401, "sign_in_link_invalid"]);
  });

  test("the cookie changes something from a page of this edge alone", async () => {
    await using folder = await temporaryFolder();
    const { broker, ca, origin } = await start(folder.dir);
    const cookie = cookieOf(await ask(await broker.signInLink(), ca));
    const make = (page: Record<string, string>) => {
      const headers = { cookie, "content-type": "application/json", ...page };
      return ask(`${origin}/v1/agents`, ca, "POST", headers, JSON.stringify({ agent_id: "made-by-cookie" }));
    };
    const foreign = ["https://evil.example", "http://localhost:3000", broker.apiUrl, origin.replace("https:", "http:")];
    for (const page of foreign) {
      const refused = await make({ origin: page });
      expect([refused.status, JSON.parse(refused.text).reason]).toEqual([403, "origin_refused"]);
    }
    expect((await make({})).status).toBe(403);
    expect((await make({ origin })).status).toBe(201);
  });

  test("a sign-in outlives the broker: its secret is kept, for this user alone", async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.dir);
    const cookie = cookieOf(await ask(await first.broker.signInLink(), first.ca));
    const file = join(first.broker.stateDir, "auth-secret");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await first.broker.close();
    const second = await start(folder.dir);
    expect((await ask(`${second.origin}/v1/person`, second.ca, "GET", { cookie })).status).toBe(200);
    expect(await readFile(join(second.broker.stateDir, "broker.json"), "utf8")).not.toContain(
      await readFile(file, "utf8"),
    );
  });
});
