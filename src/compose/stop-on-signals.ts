/** The signals that ask a server to stop: of a service manager, of Ctrl-C, and of a terminal that is closed. */
export const stopSignals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/**
 * Signals within this time are one wish: the terminal sends Ctrl-C to every process, npm hands it on, and a shell that ends sends
 * SIGHUP beside the system's.
 */
const sameWishMs = 500;
/** How often to look whether the process that started this one is still there. */
const lookMs = 250;

/** What a signal stops. */
export interface Stoppable {
  /** Stops in order. */
  stop(): Promise<void>;
  /** Ends at once what would outlive this process. Default: there is nothing. */
  kill?(): void;
  /** How many requests run; absent where that is not known. */
  running?(): number;
  /** How long `stop` waits for them. */
  readonly drainMs: number;
}

export interface StopOnSignalsOptions {
  readonly source: { on(signal: (typeof stopSignals)[number], listener: () => void): unknown };
  readonly now: () => number;
  /** Tells whoever watches the terminal, a line each. */
  readonly say: (line: string) => void;
  readonly exit: (code: number) => void;
  /** The process that this one must not outlive, if there is one. */
  readonly parent?: ParentProcess | undefined;
}

/** Asked now and then which process it is: when it has ended, the system names another in its place. */
export interface ParentProcess {
  id(): string;
  /** Calls back again and again, without keeping the process alive. */
  every(ms: number, callback: () => void): void;
}

/**
 * From now on the first signal stops in order, and a second one at once. The result takes what is to be stopped, when there is
 * something: a signal that came before is obeyed then.
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
  // A shell between npm and the server dies of the signal that npm hands on to it, and the server would never hear of it.
  parent?.every(lookMs, () => {
    if (askedAtMs === undefined && parent.id() !== startedBy) obey();
  });
  return (stoppable) => {
    what = stoppable;
    if (askedAtMs !== undefined) begin();
  };
}

function whatIsWaitedFor({ running, drainMs }: Stoppable): string {
  const count = running?.();
  if (count === 0) return "Troupe stops";
  const requests =
    count === undefined ? "requests that still run" : `${count} running request${count === 1 ? "" : "s"}`;
  return `Troupe stops; ${requests} may take up to ${drainMs / 1000} s (TROUPE_DRAIN_MS), a second Ctrl-C stops at once`;
}
