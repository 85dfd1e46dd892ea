// mosquitto, MQTT 5, QoS 1 to a persistent session. It acknowledges what it has in memory; persistence is a snapshot of that,
// written every half hour and at the end (`autosave_interval`): a crash of the process loses what was acknowledged since.
import { userInfo } from "node:os";
import { connectAsync, type MqttClient } from "mqtt";
import { type Lane, silent } from "../lane.ts";
import type { Peer, PeerDial, Place } from "./peer.ts";
import { readPapers, startConfigured } from "./program.ts";

// Its defaults keep 20 messages in flight and drop what is beyond 1,000: it could not do this work.
const config = ({ dir, port, caFile, certificateFile, keyFile }: Place) => `
listener ${port} 127.0.0.1
cafile ${caFile}
certfile ${certificateFile}
keyfile ${keyFile}
require_certificate true
use_identity_as_username true
allow_anonymous true
persistence true
persistence_location ${dir}/
set_tcp_nodelay true
max_inflight_messages 1024
max_queued_messages 0
user ${userInfo().username}
`;

let sessions = 0;

async function dial(at: PeerDial, clientId: string): Promise<MqttClient> {
  const client = await connectAsync(`mqtts://localhost:${at.port}`, {
    ...(await readPapers(at)),
    clientId,
    protocolVersion: 5,
    clean: false,
    properties: { sessionExpiryInterval: 3_600, receiveMaximum: 1_024 },
  });
  if ("setNoDelay" in client.stream) (client.stream as { setNoDelay: () => void }).setNoDelay();
  return client;
}

async function lane(at: PeerDial): Promise<Lane> {
  const topic = `bench/${++sessions}`;
  const [from, to] = await Promise.all([dial(at, `sender${sessions}`), dial(at, `receiver${sessions}`)]);
  await to.subscribeAsync(topic, { qos: 1 });
  const lane: Lane = {
    notices: silent,
    send: (payload) => {
      from.publish(topic, JSON.stringify({ content: payload }), { qos: 1 }, (error) => {
        if (error) throw error;
        lane.notices.acknowledged();
      });
    },
    close: async () => {
      await Promise.all([from.endAsync(), to.endAsync()]);
    },
  };
  to.on("message", (_, payload) => {
    JSON.parse(String(payload));
    lane.notices.arrived();
  });
  return lane;
}

export const mosquitto: Peer = {
  command: "mosquitto",
  package: "mosquitto",
  acknowledges: "kept in memory, a snapshot every 30 minutes",
  start: (place) => startConfigured("mosquitto", place, config(place)),
  lane,
};
