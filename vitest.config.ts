// The tests by where they run: `protocol` in Node, `workerd` inside the real runtime, `e2e` over real sockets and processes.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { openAuthority } from "./scripts/certificates/authority.ts";

/** A development CA for the Worker, made anew for each run. */
async function testCa(): Promise<{ CA_CERTIFICATE: string; CA_KEY: string }> {
  const dir = await mkdtemp(join(tmpdir(), "agentworks-ca-"));
  try {
    const { certificate, key } = await openAuthority(dir);
    return { CA_CERTIFICATE: certificate, CA_KEY: key };
  } finally {
    await rm(dir, { recursive: true });
  }
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "protocol",
          environment: "node",
          include: ["test/protocol/**/*.test.ts", "test/simulation/**/*.test.ts", "test/vectors/**/*.test.ts"],
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // Never the network: without this Miniflare fetches a sample of `request.cf` at its start.
              cf: false,
              bindings: {
                ADMIN_TOKEN: "test-admin-token",
                AGENTS_URL: "wss://agents.example",
                AUTH_SECRET: "a secret of the tests, of more than 32 characters",
                API_URL: "https://broker.example",
                ...(await testCa()),
                TEST_MIGRATIONS: await readD1Migrations("./schema/migrations"),
              },
            },
          })),
        ],
        test: {
          name: "workerd",
          include: ["test/workerd/**/*.test.ts"],
          globalSetup: ["./test/workerd/provoked.ts"],
          setupFiles: ["./test/workerd/setup.ts"],
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          include: [
            "test/e2e/**/*.test.ts",
            "test/sdk/**/*.test.ts",
            "test/cli/**/*.test.ts",
            "test/conformance/**/*.test.ts",
          ],
          // Each starts brokers and processes of its own: on two cores they would only time each other out.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
