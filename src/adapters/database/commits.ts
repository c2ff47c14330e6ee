import type { Clock } from "../../ports/clock.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** Work that is not urgent is gathered for this time and committed together, milliseconds. */
const beatMs = 25;

interface CommitLoopOptions {
  readonly clock: Clock;
  /** Aborts when the store closes. */
  readonly closing: AbortSignal;
  /** Whether no work waits for the next commit. */
  readonly isEmpty: () => boolean;
  /**
   * Begins the next commit; returns `undefined` if there is nothing to commit now. `isDue`: the work that waits is to be committed now,
   * and is not empty.
   */
  readonly commitNext: (isDue: boolean) => Promise<void> | undefined;
}

/** Runs one commit after another: once a beat, or at once if something is urgent. */
export class CommitLoop {
  readonly #options: CommitLoopOptions;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isWaking = false;
  #isDue = false;

  constructor(options: CommitLoopOptions) {
    this.#options = options;
  }

  /** New work waits: its commit begins now, or with the next beat. */
  schedule(isUrgent: boolean): void {
    if (isUrgent) {
      // Work of the same moment joins this commit.
      if (!this.#isDue) setImmediate(() => this.start());
      this.#isDue = true;
    } else if (!this.#isWaking) {
      const { clock, closing } = this.#options;
      this.#isWaking = true;
      void clock.sleep(beatMs, closing).then(() => {
        this.#isWaking = false;
        this.#isDue = true;
        return this.start();
      });
    }
  }

  /** Settles when there is nothing to commit now. */
  start(): Promise<void> {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#running = this.#run();
    }
    return this.#running;
  }

  /** Begins to commit everything that waits. Settles when there is nothing to commit now. */
  startNow(): Promise<void> {
    this.#isDue = true;
    return this.start();
  }

  /** Settles when no work waits. On a busy server that may never be. */
  async idle(): Promise<void> {
    while (this.#isRunning || !this.#options.isEmpty()) await this.startNow();
  }

  async #run(): Promise<void> {
    const { isEmpty, commitNext } = this.#options;
    for (;;) {
      if (isEmpty()) this.#isDue = false;
      const commit = commitNext(this.#isDue);
      if (commit === undefined) break;
      await commit;
    }
    // Cleared in the same step as the last check, so that any later work starts a new run.
    this.#isRunning = false;
  }
}

/** When to try again: the server notices within this time that the storage works again. */
const retryAfterMs = 5_000;

/** The error for a caller whose read or write the storage refused. */
export function storageUnavailable(cause: unknown): TroupeError {
  return new TroupeError("storage_unavailable", { cause, retryAfterMs });
}

export interface OutageOptions {
  readonly clock: Clock;
  /** Writes in the same way as real work does; rejects if the storage does not take it. */
  readonly probe: () => Promise<unknown>;
  /** Called with the cause when the storage fails, and with `undefined` once it works again. */
  readonly onChange: (fault: Error | undefined) => void;
}

/** Tells whether the storage takes writes. An outage lasts from the first failed write until a probe succeeds. */
export interface Outages extends Disposable {
  /** Why writes are refused now; `undefined` while the storage works. */
  readonly fault: Error | undefined;
  fail(fault: Error): void;
  /** Settles when the storage works, at once if it works now. */
  recovered(): Promise<void>;
}

const firstProbeMs = 1_000;
const maxProbeMs = 5_000;

export function watchOutages({ clock, probe, onChange }: OutageOptions): Outages {
  const stopped = new AbortController();
  let outage: { fault: Error; readonly over: PromiseWithResolvers<void> } | undefined;

  async function works(): Promise<boolean> {
    try {
      await probe();
      return true;
    } catch (fault) {
      if (outage !== undefined && fault instanceof Error) outage.fault = fault;
      return false;
    }
  }

  async function probeUntilItWorks(): Promise<void> {
    for (let waitMs = firstProbeMs; ; waitMs = Math.min(2 * waitMs, maxProbeMs)) {
      await clock.sleep(waitMs, stopped.signal);
      if (stopped.signal.aborted) return;
      if (await works()) break;
    }
    const over = outage?.over;
    outage = undefined;
    onChange(undefined);
    over?.resolve();
  }

  return {
    get fault() {
      return outage?.fault;
    },
    fail(fault) {
      if (outage !== undefined) return;
      outage = { fault, over: Promise.withResolvers() };
      onChange(fault);
      void probeUntilItWorks();
    },
    recovered: () => outage?.over.promise ?? Promise.resolve(),
    [Symbol.dispose]: () => stopped.abort(),
  };
}
