// What people did wrong at the command line, and the codes that commands end with. Text for people only.

/** How a command ended, for scripts. */
export const exitCodes = {
  done: 0,
  /** The broker refused, or the thing went wrong. */
  failed: 1,
  /** The command line makes no sense; nothing was done. */
  usage: 2,
  /** Nobody answered: the same command may succeed later. */
  unavailable: 3,
  /** No credential, or one that is not taken. */
  credentials: 4,
} as const;

/** A command line that makes no sense: print the sentence, and where to read more. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What was to be done could not be. */
export class CommandFailed extends Error {
  override name = "CommandFailed";
}

/** There is nothing to ask with. */
export class CredentialsMissing extends Error {
  override name = "CredentialsMissing";
}
