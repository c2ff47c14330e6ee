/** Faults whose count must stay 0. */
const kinds = [
  "lost",
  "doubled",
  "reordered",
  "changed",
  "missing terminals",
  "second terminals",
  "forgotten requests",
  "still running after a crash",
  "given up",
  "refused frames",
  "wrong ends",
  "wrong HTTP answers",
  "wrong texts",
  "wrong replays",
  "wrong logs on disk",
  "wrong journal entries",
  "wrong writes",
  "wrong messages on disk",
  "wrong questions on disk",
  "wrong heads on disk",
  "repeated provider calls",
  "faults in the server's log",
  "broken promises",
] as const;

export type FindingKind = (typeof kinds)[number];

/** Counts the faults, and keeps a description of the first few of each kind. */
export interface Findings {
  note(kind: FindingKind, what: string, count?: number): void;
  readonly total: number;
  /** Every kind with its count. */
  rows(): [FindingKind, number][];
  readonly examples: readonly string[];
}

const maxExamples = 5;

export function createFindings(): Findings {
  const counts = new Map<FindingKind, number>(kinds.map((kind) => [kind, 0]));
  const noted = new Map<FindingKind, number>();
  const examples: string[] = [];
  return {
    note(kind, what, count = 1) {
      counts.set(kind, (counts.get(kind) ?? 0) + count);
      const before = noted.get(kind) ?? 0;
      noted.set(kind, before + 1);
      if (before < maxExamples) examples.push(`${kind}: ${what}`);
    },
    get total() {
      return [...counts.values()].reduce((sum, count) => sum + count, 0);
    },
    rows: () => [...counts],
    examples,
  };
}
