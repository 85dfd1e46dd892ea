// account, capabilities, audit: what there is in the account that is asked, and who changed it.
import { type Command, count } from "./command.ts";
import { printable, shortTime, table } from "./output.ts";
import { first } from "./pages.ts";

const account: Command = {
  name: "account",
  args: "",
  summary: "which account is asked, and where",
  example: "agentworks account --profile production",
  takes: [0, 0],
  async run({ target, output }) {
    const { api, name } = await target();
    const found = await api.request("GET /v1/account");
    output.result(
      { ...found, api: name },
      () => `${found.account} (${printable(found.name)}), ${found.status}, at ${name}\n`,
    );
  },
};

const capabilities: Command = {
  name: "capabilities",
  args: "",
  summary: "what the agents of the account offer, and how many of them",
  help: ["Who offers one: agentworks agent list --capability NAME"],
  example: "agentworks capabilities",
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const found = await first(api.list("GET /v1/capabilities", { query: { limit: 100 } }), 1000);
    context.output.result({ capabilities: found }, () =>
      found.length === 0
        ? "Nobody has announced anything yet.\n"
        : table(
            ["CAPABILITY", "AGENTS", "VERSIONS"],
            found.map((one) => [one.name, String(one.agents), one.versions.join(", ") || "-"]),
          ),
    );
  },
};

const audit: Command = {
  name: "audit",
  args: "[--limit N]",
  summary: "who changed what in the account, the newest first",
  help: ["--limit N  at most so many (default 50)"],
  example: "agentworks audit --limit 20",
  options: { limit: { type: "string" } },
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const listed = api.list("GET /v1/audit-log", { query: { limit: 50 } });
    const entries = await first(listed, count(context.flags, "limit") ?? 50);
    context.output.result({ entries }, () =>
      table(
        ["TIME (UTC)", "WHO", "DID", "TO", "FROM"],
        entries.map((one) => [shortTime(one.at), one.actor, one.action, one.target, one.address ?? "-"]),
      ),
    );
  },
};

export const accountCommands: readonly Command[] = [account, capabilities, audit];
