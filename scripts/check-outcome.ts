/** The result of one check. */
export interface CheckOutcome {
  readonly ok: boolean;
  /** Shown if the check failed: each fault and its place. */
  readonly output: string;
  /** Shown on the check's own line, e.g. a measured figure. */
  readonly note?: string;
}

/** The outcome of a check that collects one line per finding. */
export function outcomeOf(findings: readonly string[], note?: string): CheckOutcome {
  return { ok: findings.length === 0, output: findings.join("\n"), ...(note === undefined ? {} : { note }) };
}
