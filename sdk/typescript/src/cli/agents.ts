// agent …: who may connect, and by what. Keys are made on this machine and stay here.
import { join, resolve } from "node:path";
import { certifyAgent } from "../certificates/certify.ts";
import { HttpApi, isRefusal } from "../http/http-api.ts";
import { arg, type Command, type Context, count, text } from "./command.ts";
import { identityText, newIdentityRecord } from "./lines.ts";
import { shortTime, table } from "./output.ts";
import { first } from "./pages.ts";
import { registerFile } from "./register.ts";
import { UsageError } from "./usage.ts";

const agentName = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** An agent's id, before anything is made for it. */
function agentOf(context: Context): string {
  const agent = arg(context, 0);
  if (agentName.test(agent)) return agent;
  throw new UsageError(`"${agent}" is no agent id: 1–64 of a–z 0–9 . _ - and it starts with a letter or digit.`);
}

const create: Command = {
  name: "agent create",
  args: "AGENT [--days N] [--dir DIR] [--certificate FILE]",
  summary: "give an agent an identity: key and certificate",
  help: [
    "--days N            how long the certificate lasts (default 90); the SDK renews it by itself where it may",
    "--dir DIR           where cert.pem and key.pem go (default .agentworks/agents/AGENT)",
    "--certificate FILE  register this certificate (PEM), which a CA of yours issued, instead of having one issued",
    "Again for the same agent: a new key and certificate; the old one is valid until it ends or is revoked.",
  ],
  example: "agentworks agent create summarizer",
  options: { days: { type: "string" }, dir: { type: "string" }, certificate: { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const { flags, output } = context;
    const agent = agentOf(context);
    const target = await context.target();
    const file = text(flags, "certificate");
    if (file !== undefined) {
      const registered = await registerFile(target, agent, file);
      output.result(
        registered,
        () => `${agent} is registered; its certificate is valid until ${shortTime(registered.not_after)}.\n`,
      );
      return;
    }
    const dirOf = () => resolve(text(flags, "dir") ?? join(target.agentsDir, agent));
    const days = count(flags, "days");
    output.progress(`Making a key, and asking ${target.name} for a certificate …`);
    const identity = await certifyAgent({ api: target.api, agent, dirOf, ...(days !== undefined && { days }) });
    output.result(newIdentityRecord(identity), () => identityText(identity));
  },
};

const enroll: Command = {
  name: "agent enroll",
  args: "--token TOKEN --api URL [--dir DIR]",
  summary: "the same on a machine that has nothing but an enrolment token",
  help: [
    "--token TOKEN  what `agentworks agent token` printed (or AGENTWORKS_ENROLMENT_TOKEN); it works once",
    "--dir DIR      where cert.pem and key.pem go (default .agentworks/agents/AGENT)",
  ],
  example: "agentworks agent enroll --api https://api.example.com --token awe_…",
  options: { token: { type: "string" }, dir: { type: "string" } },
  takes: [0, 0],
  async run({ flags, output, env, signal }) {
    const url = text(flags, "api") ?? env.AGENTWORKS_API;
    const token = text(flags, "token") ?? env.AGENTWORKS_ENROLMENT_TOKEN;
    if (!url || !token) throw new UsageError("Name the API (--api) and the token (--token).");
    const api = new HttpApi({ url, credential: token, signal });
    const agentsDir = join(text(flags, "state") ?? ".agentworks", "agents");
    const dirOf = (agent: string) => resolve(text(flags, "dir") ?? join(agentsDir, agent));
    output.progress(`Making a key, and asking ${api.url} for a certificate …`);
    const identity = await certifyAgent({ api, agent: undefined, dirOf });
    output.result(newIdentityRecord(identity), () => identityText(identity));
  },
};

const token: Command = {
  name: "agent token",
  args: "AGENT [--expires-in SECONDS]",
  summary: "make an enrolment token: a machine gets one certificate for it, once",
  help: ["--expires-in SECONDS  60 to 86400 (default 3600)"],
  example: "agentworks agent token summarizer --expires-in 600",
  options: { "expires-in": { type: "string" } },
  takes: [1, 1],
  async run(context) {
    const agent = agentOf(context);
    const { api } = await context.target();
    const made = await api.request("POST /v1/agents/{agent_id}/enrolment-tokens", {
      path: { agent_id: agent },
      body: { expires_in_s: count(context.flags, "expires-in") },
    });
    context.output.result(
      made,
      () =>
        `${made.token}\n\nOnce, until ${shortTime(made.expires_at)} UTC, on the agent's machine:\n\n  agentworks agent enroll --api ${api.url} --token ${made.token}\n`,
    );
  },
};

const list: Command = {
  name: "agent list",
  args: "[--capability NAME]",
  summary: "the agents of the account: status, presence, what they can do",
  help: ["--capability NAME  only those that announced it", "--limit N          at most so many (default 200)"],
  example: "agentworks agent list --capability summarize",
  options: { capability: { type: "string" }, limit: { type: "string" } },
  takes: [0, 0],
  async run(context) {
    const capability = text(context.flags, "capability");
    const { api } = await context.target();
    const listed = api.list("GET /v1/agents", { query: { limit: 50, capability } });
    const agents = await first(listed, count(context.flags, "limit") ?? 200);
    context.output.result({ agents }, () =>
      agents.length === 0
        ? "No agents yet: agentworks agent create NAME\n"
        : table(
            ["AGENT", "STATUS", "CONNECTED", "LAST CONNECTED (UTC)", "CAPABILITIES"],
            agents.map((one) => [
              one.agent,
              one.status,
              one.connected ? "yes" : "no",
              shortTime(one.last_connected_at),
              one.capabilities.map(({ name }) => name).join(", ") || "-",
            ]),
          ),
    );
  },
};

const changeStatus = (name: string, status: "active" | "suspended", summary: string): Command => ({
  name,
  args: "AGENT",
  summary,
  example: `agentworks ${name} summarizer`,
  takes: [1, 1],
  async run(context) {
    const agent = agentOf(context);
    const { api } = await context.target();
    const changed = await api.request("PATCH /v1/agents/{agent_id}", { path: { agent_id: agent }, body: { status } });
    context.output.result(changed, () => `${agent} is ${status}.\n`);
  },
});

const tag: Command = {
  name: "agent tag",
  args: "AGENT [TAG …]",
  summary: "the marks that the policy's rules go by; those that are not named are taken away",
  example: "agentworks agent tag summarizer trusted eu",
  takes: [1, 21],
  async run(context) {
    const agent_id = agentOf(context);
    const tags = context.args.slice(1);
    const { api } = await context.target();
    const changed = await api.request("PATCH /v1/agents/{agent_id}", { path: { agent_id }, body: { tags } });
    context.output.result(changed, () => `${agent_id} has ${changed.tags.join(", ") || "no tags"}.\n`);
  },
};

const drain: Command = {
  name: "agent drain",
  args: "AGENT",
  summary: "send an agent to connect anew, as before a deploy; its sessions go on",
  example: "agentworks agent drain summarizer",
  takes: [1, 1],
  async run(context) {
    const agent_id = agentOf(context);
    const { api } = await context.target();
    const drained = await api.request("POST /v1/agents/{agent_id}/drain", { path: { agent_id } });
    context.output.result(drained, () => `${agent_id} was sent to connect anew: ${drained.closed} connections.\n`);
  },
};

const remove: Command = {
  name: "agent delete",
  args: "AGENT --yes",
  summary: "end an agent: its connections close, its certificates are revoked",
  help: ["--yes  this cannot be taken back, so it must be said"],
  example: "agentworks agent delete summarizer --yes",
  options: { yes: { type: "boolean", default: false } },
  takes: [1, 1],
  async run(context) {
    const agent = agentOf(context);
    if (context.flags.yes !== true) throw new UsageError(`Deleting ${agent} cannot be taken back: add --yes.`);
    const { api } = await context.target();
    const deleted = await api.request("DELETE /v1/agents/{agent_id}", { path: { agent_id: agent } });
    context.output.result(deleted, () => `${agent} is deleted.\n`);
  },
};

const certificates: Command = {
  name: "agent certificates",
  args: "AGENT",
  summary: "the certificates of an agent, the newest first",
  example: "agentworks agent certificates summarizer",
  takes: [1, 1],
  async run(context) {
    const { api } = await context.target();
    const path = { agent_id: agentOf(context) };
    const listed = api.list("GET /v1/agents/{agent_id}/certificates", { path, query: { limit: 100 } });
    const found = await first(listed, 200);
    context.output.result({ certificates: found }, () =>
      table(
        ["FINGERPRINT", "STATUS", "ISSUED (UTC)", "ENDS (UTC)"],
        found.map((one) => [one.fingerprint, one.status, shortTime(one.created_at), shortTime(one.not_after)]),
      ),
    );
  },
};

const revoke: Command = {
  name: "agent revoke",
  args: "FINGERPRINT",
  summary: "revoke a certificate and its renewals for ever; the agent's connections close",
  example: "agentworks agent revoke 3f0c…",
  takes: [1, 1],
  async run(context) {
    const { api } = await context.target();
    const fingerprint = arg(context, 0).toLowerCase().replaceAll(":", "");
    const revoked = await api
      .request("DELETE /v1/certificates/{fingerprint}", { path: { fingerprint } })
      .catch((error) => {
        if (isRefusal(error, "invalid_request"))
          throw new UsageError("A fingerprint has 64 hex digits: agentworks agent certificates AGENT");
        throw error;
      });
    context.output.result(
      revoked,
      () =>
        `A certificate of ${revoked.agent_id} is revoked, ${revoked.renewals.length} renewals with it; ${revoked.closed} connections were closed.\n`,
    );
  },
};

export const agentCommands: readonly Command[] = [
  create,
  list,
  changeStatus("agent suspend", "suspended", "keep an agent out, and close its connections"),
  changeStatus("agent activate", "active", "let a suspended agent in again"),
  tag,
  drain,
  remove,
  token,
  enroll,
  certificates,
  revoke,
];
