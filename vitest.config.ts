// The tests by where they run: `protocol` in Node, `workerd` inside the real runtime, `e2e` over real sockets and processes.
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

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
          include: ["test/e2e/**/*.test.ts", "test/sdk/**/*.test.ts", "test/conformance/**/*.test.ts"],
          // Each starts brokers and processes of its own: on two cores they would only time each other out.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
