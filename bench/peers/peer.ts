// What every peer of the comparison has: a server that we start on a free loopback port with our certificates, and a lane through
// its own Node client. What its acknowledgement is worth is said beside it, for it is not the same for any two.
import type { Lane } from "../lane.ts";

/** Where a peer's server listens, and what each end shows the other. */
export interface PeerDial {
  port: number;
  caFile: string;
  certificateFile: string;
  keyFile: string;
}

/** What a server is started with. */
export interface Place extends PeerDial {
  /** A folder of its own, removed afterwards. */
  dir: string;
}

export interface PeerServer {
  close(): Promise<void>;
}

export interface Peer {
  /** The program that must be installed, and the Debian package that brings it. */
  command: string;
  package: string;
  /** What is stored before the sender hears the acknowledgement. */
  acknowledges: string;
  /** Starts the server; resolves when its port answers. */
  start(place: Place): Promise<PeerServer>;
  /** A sender and a receiver, connected, with a queue of their own. */
  lane(dial: PeerDial): Promise<Lane>;
}
