// The peers by name: which of them are installed here, and starting those that are.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openAuthority } from "../../scripts/certificates/authority.ts";
import { mosquitto } from "./mosquitto.ts";
import { nats } from "./nats.ts";
import type { Peer, PeerDial, PeerServer } from "./peer.ts";
import { find, freePort } from "./program.ts";
import { rabbitmq } from "./rabbitmq.ts";

export const peers = { nats, mosquitto, rabbitmq } satisfies Record<string, Peer>;
export type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as PeerName[];

export const installed = (): PeerName[] => peerNames.filter((name) => find(peers[name].command) !== undefined);

/** What to do about those that are not installed; undefined when all are. */
export function missing(): string | undefined {
  const packages = peerNames
    .filter((name) => find(peers[name].command) === undefined)
    .map((name) => peers[name].package);
  return packages.length === 0
    ? undefined
    : `Not measured: ${packages.join(", ")} (apt-get install ${packages.join(" ")}).`;
}

export interface PeersRunning {
  dials: Partial<Record<PeerName, PeerDial>>;
  close(): Promise<void>;
}

/** Starts those that are named, with certificates of one development CA in `dir`. */
export async function startPeers(dir: string, names: readonly PeerName[]): Promise<PeersRunning> {
  await mkdir(dir, { recursive: true });
  const authority = await openAuthority(dir);
  const write = async (name: string, { certificate, key }: { certificate: string; key: string }) => {
    const files = { certificateFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) };
    await writeFile(files.certificateFile, certificate);
    await writeFile(files.keyFile, key, { mode: 0o600 });
    return { caFile: authority.certificateFile, ...files };
  };
  const server = await write("server", await authority.issueServer());
  const client = await write("client", await authority.issueAgent("bench"));
  const running: PeerServer[] = [];
  const dials: PeersRunning["dials"] = {};
  const close = async () => {
    for (const one of running.reverse()) await one.close();
  };
  try {
    for (const name of names) {
      const place = { dir: join(dir, name), port: await freePort(), ...server };
      await mkdir(place.dir);
      running.push(await peers[name].start(place));
      dials[name] = { port: place.port, ...client };
    }
    return { dials, close };
  } catch (error) {
    await close();
    throw error;
  }
}
