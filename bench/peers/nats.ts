// NATS JetStream, a file stream. The weakest of the three acknowledgements: the publish is acknowledged when it has been written
// to the file, which is synced every two minutes (`sync_interval`); a crash of the machine loses what was acknowledged since.
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type Lane, silent } from "../lane.ts";
import type { Peer, PeerDial, Place } from "./peer.ts";
import { readPapers, startConfigured } from "./program.ts";

const config = ({ dir, port, caFile, certificateFile, keyFile }: Place) => `
listen: "127.0.0.1:${port}"
jetstream { store_dir: "${join(dir, "jetstream")}" }
tls { cert_file: "${certificateFile}", key_file: "${keyFile}", ca_file: "${caFile}", verify: true }
`;

let streams = 0;

const dial = async (at: PeerDial) => connect({ servers: `localhost:${at.port}`, tls: await readPapers(at) });

async function lane(at: PeerDial): Promise<Lane> {
  const [from, to] = await Promise.all([dial(at), dial(at)]);
  const name = `bench${++streams}`;
  const manager = await jetstreamManager(to);
  await manager.streams.add({ name, subjects: [name], storage: StorageType.File });
  await manager.consumers.add(name, {
    durable_name: "receiver",
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 4_096,
  });
  const consumer = await jetstream(to).consumers.get(name, "receiver");
  const messages = await consumer.consume({ max_messages: 1_024 });
  const publisher = jetstream(from);
  const lane: Lane = {
    notices: silent,
    send: (payload) => void publisher.publish(name, JSON.stringify({ content: payload })).then(acknowledged),
    close: async () => {
      await messages.close();
      await manager.streams.delete(name);
      await Promise.all([from.close(), to.close()]);
    },
  };
  const acknowledged = () => lane.notices.acknowledged();
  void (async () => {
    for await (const message of messages) {
      message.json();
      message.ack();
      lane.notices.arrived();
    }
  })();
  return lane;
}

export const nats: Peer = {
  command: "nats-server",
  package: "nats-server",
  acknowledges: "written to the stream's file, not synced (every 2 minutes)",
  start: (place) => startConfigured("nats-server", place, config(place)),
  lane,
};
