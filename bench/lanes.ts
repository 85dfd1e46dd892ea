// The lanes that are compared: a bare relay over plain `ws`, and agentworks through its own SDK, over both of its paths.
import { readFile } from "node:fs/promises";
import WebSocket from "ws";
import { type Agent, connect, type Session } from "../sdk/typescript/src/index.ts";
import { type Lane, silent } from "./lane.ts";

/** Where to dial, and as whom: what `certifyAgent` answers, and the broker's URL. */
export interface Dial {
  url: string;
  caFile: string;
  certificateFile: string;
  keyFile: string;
}

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

/** The same, as the SDK takes it. */
export const filesOf = ({ url, caFile, certificateFile, keyFile }: Dial) => ({
  url,
  caFile,
  certFile: certificateFile,
  keyFile,
});

async function receive(session: Session, lane: Lane): Promise<void> {
  for await (const _ of session.messages()) lane.notices.arrived();
}

/** A new session, as both ends have it. */
export async function sessionBetween(from: Agent, to: Agent): Promise<[opened: Session, accepted: Session]> {
  const offered = to.sessions();
  const opened = await from.open(to.id);
  for await (const accepted of offered) if (accepted.id === opened.id) return [opened, accepted];
  throw new Error("the receiver got no session");
}

/** agentworks: every message is stored before it is acknowledged, and taken from the iterator by the receiver. */
export async function sessionLane(sender: Dial, receiver: Dial, direct: boolean): Promise<Lane> {
  const to: Agent = await connect({ ...filesOf(receiver), direct });
  const from: Agent = await connect({ ...filesOf(sender), direct });
  const [session, accepted] = await sessionBetween(from, to);
  const acknowledged = () => lane.notices.acknowledged();
  const lane: Lane = {
    notices: silent,
    send: (payload) => void session.send(payload).then(acknowledged),
    close: async () => {
      // Closed, not only left: the next lane's agents have the same names, and would find it again.
      await session.close();
      await Promise.all([from.close(), to.close()]);
    },
  };
  void receive(accepted, lane);
  return lane;
}
