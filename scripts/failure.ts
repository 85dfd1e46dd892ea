// The one error that people see as a sentence. It may hold text for people only: what is wrong, and what to do about it.
// Everything else that is thrown in scripts/ is a bug and keeps its stack.

/** An expected failure of a command: print `message`, exit with a non-zero code, show no stack. */
export class Failure extends Error {
  override name = "Failure";
}

/** The `code` of a Node system error (`EADDRINUSE`, `ENOENT`, …), if it has one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The one line that explains any thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Runs a command's `main`; a Failure becomes one line on stderr and exit code 1, a bug keeps its stack. */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Failure ? error.message : error);
    process.exitCode = 1;
  }
}
