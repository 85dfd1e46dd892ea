// A check and its verdict: what both suites have in common. A check fails by saying which rule is broken; nothing else is decided here.

/** A rule of docs/PROTOCOL.md is broken, and how that was seen. */
export class Broken extends Error {
  override name = "Broken";
  readonly rule: string;

  constructor(rule: string, detail: string) {
    super(detail);
    this.rule = rule;
  }
}

/** Something that had to come did not: the check's first rule is broken, unless it says better. */
export class Missing extends Error {
  override name = "Missing";
}

/** A check that cannot be made here, and why. */
export class LeftOut extends Error {
  override name = "LeftOut";
}

/** Throws Broken where it does not hold. */
export function must(rule: string, holds: boolean, detail: string): asserts holds {
  if (!holds) throw new Broken(rule, detail);
}

export interface Check<Stage> {
  /** The rules that it shows, the most telling first. */
  rules: readonly [string, ...string[]];
  title: string;
  /** It takes longer than a minute's patience: made only when asked for. */
  slow?: true;
  run(stage: Stage): Promise<void>;
}

export interface Verdict {
  title: string;
  rules: readonly string[];
  result: "ok" | "broken" | "left out";
  /** Which rule is broken, and how that was seen; or why it was left out. */
  rule?: string;
  detail?: string;
  seconds: number;
}

/** Makes one check. What is thrown and is none of ours is a bug of the kit, and goes on. */
export async function judge<Stage>(
  { title, rules, run }: Check<Stage>,
  withStage: (run: (stage: Stage) => Promise<void>) => Promise<void>,
): Promise<Verdict> {
  const started = performance.now();
  const verdict = (result: Verdict["result"], more: Pick<Verdict, "rule" | "detail"> = {}): Verdict => {
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return { title, rules, result, ...more, seconds };
  };
  try {
    await withStage(run);
    return verdict("ok");
  } catch (error) {
    if (error instanceof LeftOut) return verdict("left out", { detail: error.message });
    if (error instanceof Broken) return verdict("broken", { rule: error.rule, detail: error.message });
    if (error instanceof Missing) return verdict("broken", { rule: rules[0], detail: error.message });
    throw error;
  }
}

/** Checks of one of these rules, or with one of these texts in their title; without any of them all. */
export const chosen = <Stage>(checks: readonly Check<Stage>[], only: readonly string[] = []): Check<Stage>[] =>
  checks.filter(
    ({ rules, title }) => only.length === 0 || only.some((what) => rules.includes(what) || title.includes(what)),
  );
