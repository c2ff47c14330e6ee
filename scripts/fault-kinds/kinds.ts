/** A kind of fault that machines, proxies, providers or clients show, and the tests that play its examples. */
export interface FaultKind {
  readonly kind: string;
  /** Path of a test file, and the tests in it (default: all) by their names with those of their suites, joined by " > ". */
  readonly tests: readonly (readonly [file: string, name?: RegExp])[];
}

export const faultKinds: readonly FaultKind[] = [];
