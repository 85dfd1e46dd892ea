// RabbitMQ, a quorum queue of one node with publisher confirms: the confirm comes after the write-ahead log was synced to disk.
// The true equal of what agentworks acknowledges.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "amqplib";
import { type Lane, silent } from "../lane.ts";
import type { Peer, PeerDial, PeerServer, Place } from "./peer.ts";
import { freePort, readPapers, startProgram } from "./program.ts";

const config = ({ port, caFile, certificateFile, keyFile }: Place) => `
listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:${port}
ssl_options.cacertfile = ${caFile}
ssl_options.certfile = ${certificateFile}
ssl_options.keyfile = ${keyFile}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
`;

/** Everything of its own: Erlang's name service too, which it would otherwise leave running. */
async function start(place: Place): Promise<PeerServer> {
  const { dir, port } = place;
  const at = (name: string) => join(dir, name);
  await mkdir(at("log"), { recursive: true });
  await Promise.all([
    writeFile(at("rabbitmq.conf"), config(place)),
    writeFile(at("env.conf"), ""),
    writeFile(at("enabled_plugins"), "[].\n"),
    writeFile(at(".erlang.cookie"), "AGENTWORKSBENCH", { mode: 0o400 }),
  ]);
  const [names, distribution] = [await freePort(), await freePort()];
  const erlang = {
    ERL_EPMD_PORT: String(names),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    // Each Erlang program would start a name service that stays; RabbitMQ runs one every minute to see to that.
    ERL_FLAGS: "-start_epmd false",
    HOME: dir,
  };
  const epmd = await startProgram("epmd", [], { port: names, logFile: at("epmd.log"), env: erlang });
  try {
    // Not the script in /usr/sbin: that changes the user, who could not read the folder.
    const server = await startProgram("/usr/lib/rabbitmq/bin/rabbitmq-server", [], {
      port,
      logFile: at("rabbitmq.log"),
      env: {
        ...erlang,
        RABBITMQ_NODENAME: `bench${process.pid}@localhost`,
        RABBITMQ_DIST_PORT: String(distribution),
        RABBITMQ_CONFIG_FILE: at("rabbitmq.conf"),
        RABBITMQ_CONF_ENV_FILE: at("env.conf"),
        RABBITMQ_ENABLED_PLUGINS_FILE: at("enabled_plugins"),
        RABBITMQ_MNESIA_BASE: at("data"),
        RABBITMQ_LOG_BASE: at("log"),
        RABBITMQ_PID_FILE: at("pid"),
      },
    });
    return {
      close: async () => {
        await server.close();
        await epmd.close();
      },
    };
  } catch (error) {
    await epmd.close();
    throw error;
  }
}

let queues = 0;

async function lane(at: PeerDial): Promise<Lane> {
  const { ca, cert, key } = await readPapers(at);
  const dial = () => connect(`amqps://localhost:${at.port}`, { ca: [ca], cert, key, noDelay: true });
  const [from, to] = await Promise.all([dial(), dial()]);
  const queue = `bench${++queues}`;
  const [sender, receiver] = [await from.createConfirmChannel(), await to.createChannel()];
  await receiver.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await receiver.prefetch(1_024);
  const lane: Lane = {
    notices: silent,
    send: (payload) => {
      sender.sendToQueue(queue, Buffer.from(JSON.stringify({ content: payload })), { persistent: true }, (error) => {
        if (error) throw error;
        lane.notices.acknowledged();
      });
    },
    close: async () => {
      await receiver.deleteQueue(queue);
      await Promise.all([from.close(), to.close()]);
    },
  };
  await receiver.consume(queue, (message) => {
    if (message === null) return;
    JSON.parse(message.content.toString());
    receiver.ack(message);
    lane.notices.arrived();
  });
  return lane;
}

export const rabbitmq: Peer = {
  command: "rabbitmq-server",
  package: "rabbitmq-server",
  acknowledges: "written to the log of a quorum queue (one node) and synced",
  start,
  lane,
};
