/** What one check found. */
export interface CheckOutcome {
  readonly ok: boolean;
  /** Shown when it failed: what is wrong and where. */
  readonly output: string;
  /** Shown on the check's own line, e.g. a figure that it measured. */
  readonly note?: string;
}

/** The outcome of a check that gathers one line per finding. */
export function outcomeOf(findings: readonly string[], note?: string): CheckOutcome {
  return { ok: findings.length === 0, output: findings.join("\n"), ...(note === undefined ? {} : { note }) };
}
