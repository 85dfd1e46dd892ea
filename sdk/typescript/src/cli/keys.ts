// key …: API keys for programs.
import type { Scope } from "../http/operations.ts";
import { arg, type Command, text } from "./command.ts";
import { shortTime, table } from "./output.ts";
import { first } from "./pages.ts";
import { UsageError } from "./usage.ts";

const create: Command = {
  name: "key create",
  args: "NAME --scope SCOPE [--scope SCOPE …] [--expires TIME]",
  summary: "make an API key; it is shown this once",
  help: [
    "--scope SCOPE   what it may, such as agents:read, certificates:write, sessions:read; may be repeated",
    "--expires TIME  when it ends, RFC 3339 in UTC (default: not by itself)",
  ],
  example: "agentworks key create deploy --scope agents:write --scope certificates:write",
  options: { scope: { type: "string", multiple: true }, expires: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const { scope } = context.flags;
    if (!Array.isArray(scope)) throw new UsageError("Say what the key may: --scope SCOPE, once or more often.");
    const { api } = await context.target();
    const expires_at = text(context.flags, "expires");
    // Which scopes there are is the broker's to say.
    const body = { name: arg(context, 0), scopes: scope as Scope[], expires_at };
    const made = await api.request("POST /v1/api-keys", { body });
    context.output.result(
      made,
      () => `${made.key}\n\nKeep it now: it is not shown again. It may ${made.scopes.join(", ")}.\n`,
    );
  },
};

const list: Command = {
  name: "key list",
  args: "",
  summary: "the API keys of the account",
  example: "agentworks key list",
  takes: [0, 0],
  async run(context) {
    const { api } = await context.target();
    const keys = await first(api.list("GET /v1/api-keys", { query: { limit: 100 } }), 500);
    context.output.result({ api_keys: keys }, () =>
      table(
        ["ID", "NAME", "STATUS", "LAST USED (UTC)", "SCOPES"],
        keys.map((key) => [key.id, key.name, key.status, shortTime(key.last_used_at), key.scopes.join(", ")]),
      ),
    );
  },
};

const revoke: Command = {
  name: "key revoke",
  args: "ID",
  summary: "revoke an API key for ever",
  example: "agentworks key revoke abcdefgh234567ab",
  takes: [1, 1],
  async run(context) {
    const { api } = await context.target();
    const key = await api.request("DELETE /v1/api-keys/{key_id}", { path: { key_id: arg(context, 0) } });
    context.output.result(key, () => `${key.name} (${key.id}) is revoked.\n`);
  },
};

export const keyCommands: readonly Command[] = [create, list, revoke];
