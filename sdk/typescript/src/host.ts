// What a session needs of its agent: the seam between the two, so that neither imports the other's inside.
import type { Status } from "./api.ts";
import type { Handlers } from "./handlers.ts";
import type { Journal } from "./journal.ts";
import type { LiveSession } from "./live-session.ts";

export interface Host {
  readonly handlers: Handlers;
  readonly journal: Journal | undefined;
  /** In [0, 1). */
  readonly random: () => number;
  /** The session has lines to send. */
  wake(session: LiveSession): void;
  tell(status: Status): void;
  opened(session: LiveSession): void;
  ended(session: LiveSession): void;
}
