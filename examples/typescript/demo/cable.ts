// A cable that can be pulled: a TCP port that passes bytes on to the broker, until somebody cuts it. TLS runs through it
// untouched, so what the agent behind it sees is what a broken network looks like.
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Cable {
  readonly port: number;
  /** Breaks every connection in the middle of whatever it was doing. Answers how many there were. */
  cut(): number;
  close(): void;
}

/** A cable to a local port. */
export async function layCable(to: number): Promise<Cable> {
  const live = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    live.add(near);
    near.setNoDelay(true);
    far.setNoDelay(true);
    near.on("error", () => far.destroy()).on("close", () => far.destroy() && live.delete(near));
    far.on("error", () => near.destroy()).on("close", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the cable has no port");
  const cut = () => {
    const count = live.size;
    for (const socket of live) socket.destroy();
    return count;
  };
  return {
    port: address.port,
    cut,
    close() {
      server.close();
      cut();
    },
  };
}
