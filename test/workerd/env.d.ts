// What `env` and `exports` of "cloudflare:workers" are in tests: the Worker's own, and what vitest.config.ts adds.
declare namespace Cloudflare {
  interface Env
    extends Required<
      Pick<
        import("../../worker/env.ts").Env,
        "ADMIN_TOKEN" | "AGENTS_URL" | "AUTH_SECRET" | "API_URL" | "CA_CERTIFICATE" | "CA_KEY"
      >
    > {
    DB: D1Database;
    ACCOUNTS: import("../../worker/env.ts").Env["ACCOUNTS"];
    ADDRESSES: import("../../worker/env.ts").Env["ADDRESSES"];
    AGENTS: import("../../worker/env.ts").Env["AGENTS"];
    SESSIONS: import("../../worker/env.ts").Env["SESSIONS"];
    TEST_MIGRATIONS: import("cloudflare:test").D1Migration[];
  }
  interface GlobalProps {
    mainModule: typeof import("../../worker/index.ts");
  }
}
