// What an application hands over, as JSON text that the broker will take: judged here, before it costs a `seq`. Pure.
import { utf8Length } from "../../../protocol/wire/codec.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { clientError, wireError } from "./error.ts";

/** Kept free for what is around it: the longest heads, of a TASK_REQUEST with a deadline and of a SESSION_INIT, have some 400. */
const headerBytes = 512;
/** The envelope and its `data` are two of the levels. */
const levelsMax = limits.depthMax - 2;

/** Deepest nesting of JSON text. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x22) {
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (unit === 0x7b || unit === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  return deepest;
}

/**
 * The JSON text of one value.
 * Throws AgentworksError: invalid_argument (JSON cannot say it), envelope_too_large (beyond 256 KiB, a little less is the
 * envelope's own), too_deep (nested beyond what an envelope may).
 */
export function jsonOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw clientError("invalid_argument", "The content cannot be written as JSON.", { cause: error });
  }
  if (text === undefined) throw clientError("invalid_argument", `JSON has no way to write ${typeof value}.`);
  const room = limits.envelopeBytesMax - headerBytes;
  if (text.length > room || (text.length * 3 > room && utf8Length(text) > room)) throw wireError("envelope_too_large");
  if (typeof value === "object" && depthOf(text) > levelsMax) throw wireError("too_deep");
  return text;
}
