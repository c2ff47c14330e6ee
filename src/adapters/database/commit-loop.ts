import type { Clock } from "../../ports/clock.ts";

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
