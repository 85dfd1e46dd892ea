// workerd reports every exception that leaves an object, those too that a test provokes to see what becomes of them. The pool
// writes each report to stdout in one piece, and has no setting for it: here those that are provoked are left out.
const provoked = [
  // relay.test.ts, waiting.test.ts
  "Error: the other object is gone",
  // worker/fixtures.ts, breakAgentObject
  "Error: This object was stored by a newer version of the broker",
];

/** Before and after all of the tests on workerd, in the process that starts it. */
export default function setup(): () => void {
  const { stdout } = process;
  const { write } = stdout;
  stdout.write = (...args: Parameters<typeof write>): boolean => {
    const text = String(args[0]);
    const isProvoked = text.startsWith("uncaught exception; ") && provoked.some((words) => text.includes(words));
    return isProvoked || write.apply(stdout, args);
  };
  return () => {
    stdout.write = write;
  };
}
