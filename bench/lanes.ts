// The lanes that are compared: a bare relay over plain `ws`, and agentworks through its own SDK, over both of its paths.
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { type Agent, connect, type Session } from "../sdk/typescript/src/index.ts";
import type { Lane, Notices } from "./lane.ts";

/** Where to dial, and as whom: what `certifyAgent` answers, and the broker's URL. */
export interface Dial {
  url: string;
  caFile: string;
  certificateFile: string;
  keyFile: string;
}

const silent: Notices = { acknowledged() {}, arrived() {} };

async function dialRelay({ url, caFile, certificateFile, keyFile }: Dial): Promise<WebSocket> {
  const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(certificateFile), readFile(keyFile)]);
  const socket = new WebSocket(`${url}/bench`, { ca, cert, key, perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

/**
 * The bare relay. It acknowledges nothing, so the receiver answers each frame with one byte through the relay: what anybody
 * who builds on a bare relay would have to do to know that a message arrived.
 */
export async function relayLane(sender: Dial, receiver: Dial): Promise<Lane> {
  const [from, to] = await Promise.all([dialRelay(sender), dialRelay(receiver)]);
  const lane: Lane = {
    notices: silent,
    send: (payload) => from.send(JSON.stringify({ content: payload })),
    close: async () => {
      from.close();
      to.close();
    },
  };
  to.on("message", (frame) => {
    JSON.parse(String(frame));
    to.send("1");
    lane.notices.arrived();
  });
  from.on("message", () => lane.notices.acknowledged());
  return lane;
}

async function receive(session: Session, lane: Lane): Promise<void> {
  for await (const _ of session.messages()) lane.notices.arrived();
}

/** agentworks: every message is stored before it is acknowledged, and taken from the iterator by the receiver. */
export async function sessionLane(sender: Dial, receiver: Dial, direct: boolean): Promise<Lane> {
  const files = ({ caFile, certificateFile, keyFile, url }: Dial) => ({
    url,
    caFile,
    certFile: certificateFile,
    keyFile,
  });
  const to: Agent = await connect({ ...files(receiver), direct });
  const from: Agent = await connect({ ...files(sender), direct });
  const offered = to.sessions()[Symbol.asyncIterator]();
  const session = await from.open(to.id);
  const accepted = await offered.next();
  if (accepted.done) throw new Error("the receiver got no session");
  const acknowledged = () => lane.notices.acknowledged();
  const lane: Lane = {
    notices: silent,
    send: (payload) => void session.send(payload).then(acknowledged),
    close: async () => {
      await Promise.all([from.close(), to.close()]);
    },
  };
  void receive(accepted.value, lane);
  return lane;
}
