// Ids of the broker's own: the platform's clock and dice, that the protocol has not.
import { type Uuid, uuidv7 } from "../protocol/wire/ids.ts";

export const freshId = (): Uuid => uuidv7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
