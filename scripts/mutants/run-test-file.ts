import { spawn } from "node:child_process";
import { once } from "node:events";
import { testEnvironment } from "../test-environment.ts";

/** How a test file ended. */
export type TestOutcome = "passed" | "failed" | "timed out";

export interface TestFileRun {
  /** The copy of the repository in which the file runs. */
  readonly copy: string;
  /** Path of the test file in the copy. */
  readonly file: string;
  readonly limitMs: number;
  /** The folder for the coverage of all its processes. Without it, no coverage is measured. */
  readonly coverage?: string;
  /** The folder for the tests' temporary files. */
  readonly temporary: string;
  /** Ends the run as if its time were over. */
  readonly signal: AbortSignal;
}

/**
 * Runs one test file with this very Node. When its time is over or `signal` aborts, it is killed with every process that
 * it started, because a mutant may spin.
 */
export async function runTestFile(run: TestFileRun): Promise<{ outcome: TestOutcome; ms: number }> {
  const { copy, file, limitMs, coverage, temporary, signal } = run;
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, ["--conditions=troupe-source", "--test-reporter=dot", file], {
    cwd: copy,
    // Starts a process group of its own, which can be killed as one.
    detached: true,
    stdio: "ignore",
    env: {
      ...testEnvironment(process.env),
      TMPDIR: temporary,
      ...(coverage === undefined ? {} : { NODE_V8_COVERAGE: coverage }),
    },
  });
  const group = child.pid;
  let isKilled = false;
  const kill = () => {
    isKilled = true;
    killGroup(group);
  };
  const timer = setTimeout(kill, limitMs);
  signal.addEventListener("abort", kill, { once: true });
  try {
    const [code] = await once(child, "close");
    const ms = performance.now() - startedAtMs;
    return { outcome: isKilled ? "timed out" : code === 0 ? "passed" : "failed", ms };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    // Kills processes that a failed test left running.
    killGroup(group);
  }
}

function killGroup(group: number | undefined): void {
  if (group === undefined) return;
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    // The usual case: no process of the group is left.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
