// Names for envelopes, sessions and tasks: UUIDv7 of the clock and of the system's dice, drawn by the thousand.
import { randomFillSync } from "node:crypto";
import { type Uuid, uuidv7 } from "../../../protocol/wire/ids.ts";

const step = 10;
const pool = new Uint8Array(step * 1024);
let used = pool.length;

export function mint(): Uuid {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const id = uuidv7(Date.now(), pool, used);
  used += step;
  return id;
}
