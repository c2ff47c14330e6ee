/** The signals that ask a server to stop: from a service manager, from Ctrl-C, and from a terminal that is closed. */
export const stopSignals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * Signals within this time count as one. A terminal sends Ctrl-C to every process and npm forwards it, and an exiting shell sends SIGHUP
 * in addition to the system's.
 */
const sameWishMs = 500;
/** How often to check that the process that started this one is still running. */
const lookMs = 250;

/** The server that a signal stops. */
export interface Stoppable {
  /** Stops in order. */
  stop(): Promise<void>;
  /** Ends child processes at once that would outlive this one. Default: there are none. */
  kill?(): void;
  /** The number of running requests; absent if it is not known. */
  running?(): number;
  /** How long `stop` waits for them. */
  readonly drainMs: number;
  /** How long `stop` goes on serving as always before that. Default 0. */
  readonly lameDuckMs?: number;
}

interface StopOnSignalsOptions {
  readonly source: { on(signal: (typeof stopSignals)[number], listener: () => void): unknown };
  readonly now: () => number;
  /** Writes a line to the terminal. */
  readonly say: (line: string) => void;
  readonly exit: (code: number) => void;
  /** The process that this one must not outlive, if there is one. */
  readonly parent?: ParentProcess | undefined;
}

/** Identifies the parent process. Once the parent has ended, the system names another one. */
export interface ParentProcess {
  id(): string;
  /** Calls back repeatedly, without keeping the process alive. */
  every(ms: number, callback: () => void): void;
}

/**
 * From now on the first signal stops in order, and a second one at once. The returned function takes the server to stop once there is
 * one; an earlier signal then takes effect.
 */
export function stopOnSignals({
  source,
  now,
  say,
  exit,
  parent,
}: StopOnSignalsOptions): (what: Stoppable) => void {
  let askedAtMs: number | undefined;
  let what: Stoppable | undefined;

  function begin(): void {
    if (what === undefined) return;
    say(whatIsWaitedFor(what));
    void what.stop();
  }

  function obey(): void {
    if (askedAtMs === undefined) {
      askedAtMs = now();
      begin();
    } else if (now() - askedAtMs >= sameWishMs) {
      what?.kill?.();
      exit(1);
    }
  }

  for (const signal of stopSignals) source.on(signal, obey);
  const startedBy = parent?.id();
  // A shell between npm and the server dies of the signal that npm forwards to it, so the server never gets that signal.
  parent?.every(lookMs, () => {
    if (askedAtMs === undefined && parent.id() !== startedBy) obey();
  });
  return (stoppable) => {
    what = stoppable;
    if (askedAtMs !== undefined) begin();
  };
}

function whatIsWaitedFor({ running, drainMs, lameDuckMs = 0 }: Stoppable): string {
  const count = running?.();
  if (lameDuckMs > 0)
    return `Troupe stops; it serves for ${lameDuckMs / 1000} s more (TROUPE_LAME_DUCK_MS), then requests may take up to ${drainMs / 1000} s (TROUPE_DRAIN_MS), a second Ctrl-C stops at once`;
  if (count === 0) return "Troupe stops";
  const requests =
    count === undefined ? "requests that still run" : `${count} running request${count === 1 ? "" : "s"}`;
  return `Troupe stops; ${requests} may take up to ${drainMs / 1000} s (TROUPE_DRAIN_MS), a second Ctrl-C stops at once`;
}
