// The package as a user gets it: built, packed, unpacked beside its dependencies, imported and type-checked from there.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sdkVersion } from "../../sdk/typescript/src/version.ts";
import { Stage } from "./fixtures.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "agentworks-pack-"));
  await rm(join(root, "sdk/typescript/dist"), { recursive: true, force: true });
  await run("npm", ["run", "sdk:build"], { cwd: root });
  const packed = await run("npm", ["pack", "--json", "--pack-destination", dir], { cwd: join(root, "sdk/typescript") });
  const tarball = join(dir, JSON.parse(packed.stdout)[0].filename);
  const installed = join(dir, "node_modules/agentworks");
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed]);
  await mkdir(join(dir, "node_modules/@types"));
  for (const name of ["ws", "zod", "@types/node", "undici-types"]) {
    await symlink(join(root, "node_modules", name), join(dir, "node_modules", name));
  }
  await writeFile(join(dir, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("a JavaScript program works with it", async () => {
  await using stage = await Stage.set();
  const [planner, analyst] = await Promise.all([stage.options("planner"), stage.options("analyst")]);
  await writeFile(
    join(dir, "consumer.js"),
    `import { connect } from "agentworks";
    const [planner, analyst] = await Promise.all(JSON.parse(process.argv[2]).map((options) => connect(options)));
    await analyst.handle("double", (n) => 2 * n);
    const session = await planner.open(analyst.id);
    console.log(await session.request("double", 21).result);
    await Promise.all([planner.drain(), analyst.drain()]);`,
  );
  const { stdout } = await run(process.execPath, [join(dir, "consumer.js"), JSON.stringify([planner, analyst])]);
  expect(stdout).toBe("42\n");
});

test("a TypeScript program is checked by its types, without types of its dependencies", async () => {
  await writeFile(
    join(dir, "consumer.ts"),
    `import { type Agent, AgentworksError, connect, type Receipt, type Session, TaskFailed } from "agentworks";
    import { HttpApi, type Policy, type SessionEntry } from "agentworks/http";

    export async function administer(api: HttpApi): Promise<string[]> {
      const { data, etag } = await api.send("GET /v1/policy");
      const policy: Policy = { rules: [...data.rules, { effect: "deny", action: "open", to: { tag: "guest" } }] };
      await api.request("PUT /v1/policy", { body: policy, ifMatch: etag });
      const ended: SessionEntry[] = [];
      for await (const one of api.list("GET /v1/sessions", { query: { state: "closed" } })) ended.push(one);
      const made = await api.request("POST /v1/api-keys", { body: { name: "CI", scopes: ["agents:read"] } });
      // @ts-expect-error no such operation
      await api.request("GET /v1/nothing");
      // @ts-expect-error the body has no such member
      await api.request("POST /v1/agents", { body: { name: "planner" } });
      // @ts-expect-error \`path\` is needed
      await api.request("GET /v1/agents/{agent_id}");
      // @ts-expect-error no list
      api.list("GET /v1/policy");
      return [made.key, ...ended.map(({ session_id }) => session_id)];
    }

    export async function main(): Promise<number> {
      await using agent: Agent = await connect({ url: "wss://localhost:8443", certFile: "c", keyFile: "k", caFile: "a" });
      await agent.handle("analyze", async (input, task) => {
        await task.progress({ step: 1 });
        task.signal.throwIfAborted();
        return { input, by: task.requester };
      }, { max_concurrency: 2 });
      const session: Session = await agent.open("analyst", { waitMs: 1000 });
      const receipt: Receipt = await session.send({ any: "JSON" });
      await receipt.delivered;
      const task = session.request<number, string>("count", "text", { signal: AbortSignal.timeout(1000) });
      for await (const step of task.progress) step.toUpperCase();
      for await (const { content, seq } of session.messages()) console.log(content, seq.toFixed());
      for await (const status of agent.status()) {
        if (status.type === "disconnected") console.log(status.code, status.willReconnect);
        // @ts-expect-error no such status
        if (status.type === "exploded") return 1;
      }
      try {
        return await task.result;
      } catch (error) {
        if (error instanceof TaskFailed) return error.error.message.length;
        if (error instanceof AgentworksError && error.retryable) return error.reason.length;
        throw error;
      }
    }
    // @ts-expect-error \`url\` is needed
    export const wrong = () => connect({ certFile: "c" });`,
  );
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  };
  await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
  const checked = run(join(root, "node_modules/.bin/tsc"), ["-p", dir]).catch(({ stdout }) => ({ stdout }));
  expect((await checked).stdout).toBe("");
});

test("its command line makes an agent and runs it, from the package alone", async () => {
  await using stage = await Stage.set();
  const { bin } = JSON.parse(await readFile(join(dir, "node_modules/agentworks/package.json"), "utf8"));
  const main = join(dir, "node_modules/agentworks", bin.agentworks);
  const { apiUrl, adminToken } = stage.broker;
  const env = { ...process.env, XDG_CONFIG_HOME: dir, AGENTWORKS_API: apiUrl, AGENTWORKS_API_KEY: adminToken };
  const agentworks = (...args: string[]) => run(process.execPath, [main, ...args], { cwd: dir, env });
  expect((await agentworks("--version")).stdout).toBe(`${sdkVersion.split("/")[1]}\n`);
  await agentworks("agent", "create", "packed");
  await writeFile(
    join(dir, "packed.js"),
    `import { connect, fromEnvironment } from "agentworks";
    const agent = await connect(fromEnvironment());
    await agent.handle("double", (n) => 2 * n);`,
  );
  const { stdout } = await agentworks("agent", "run", "packed.js", "--try", "double", "--input", "21");
  expect(stdout).toBe("42\n");
});

test("its versions are the project's", async () => {
  const read = async (path: string) => JSON.parse(await readFile(join(root, path), "utf8"));
  const [own, project] = [await read("sdk/typescript/package.json"), await read("package.json")];
  expect(own.version).toBe(project.version);
  expect(sdkVersion).toBe(`typescript/${own.version}`);
  for (const kind of ["dependencies", "optionalDependencies"]) expect(project[kind]).toMatchObject(own[kind]);
});
