import type { Worker } from "node:worker_threads";
import type { Clock } from "../../ports/clock.ts";
import { FairQueue } from "../../ports/fair-shares.ts";
import { isWithin, type JsonObject } from "../../ports/json.ts";
import type { OutputChecker, OutputVerdict } from "../../ports/output-checker.ts";
import type { AskedCheck } from "./output-worker.ts";
import { startOutputThread } from "./start-output-thread.ts";

/** `checkMs` is for one check, and `waitingMs` for everything from the call on. */
const usualLimits = { checkMs: 1_000, waitingMs: 10_000, waiting: 256, idleMs: 30_000 };

interface OutputCheckerOptions {
  readonly clock: Clock;
  readonly limits?: Partial<typeof usualLimits>;
}

/** Limits of a schema, as for the schemas of functions. */
const maxSchema = { maxChars: 256 * 1024, maxDepth: 32 };
/** A schema that grows without end must not take the memory of the process. */
const thread = {
  env: {},
  execArgv: [],
  resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 },
};

const tooLarge: OutputVerdict = { fits: "unknown", fault: "The schema is too large to be checked." };
const tooLong: OutputVerdict = { fits: "unknown", fault: "The check took too long." };
const busy: OutputVerdict = { fits: "unknown", fault: "The server was too busy to check it." };
const failed: OutputVerdict = { fits: "unknown", fault: "The check failed." };

interface WaitingCheck extends AskedCheck {
  readonly settle: (verdict: OutputVerdict) => void;
  /** It waited too long, and has its verdict. */
  isOver: boolean;
}

/**
 * A checker with one thread, which starts with the first check and ends when it is idle. A check that takes longer than its limit ends
 * with the thread, so no pattern and no recursion can go on. Owners take turns.
 */
export function createOutputChecker(options: OutputCheckerOptions): OutputChecker & AsyncDisposable {
  return new ThreadedChecker(options);
}

class ThreadedChecker implements OutputChecker, AsyncDisposable {
  readonly #clock: Clock;
  readonly #limits: typeof usualLimits;
  readonly #waiting = new FairQueue<WaitingCheck>();
  #count = 0;
  #isChecking = false;
  #worker: Worker | undefined;
  /** Whether the thread has started; false if it could not. */
  #isReady: Promise<boolean> = Promise.resolve(false);
  #stopIdling: () => void = () => undefined;

  constructor({ clock, limits }: OutputCheckerOptions) {
    this.#clock = clock;
    this.#limits = { ...usualLimits, ...limits };
  }

  async check(owner: string, text: string, schema: JsonObject | undefined): Promise<OutputVerdict> {
    if (schema !== undefined && !isWithin(schema, maxSchema)) return tooLarge;
    if (this.#count >= this.#limits.waiting) return busy;
    this.#count += 1;
    const { promise, resolve } = Promise.withResolvers<OutputVerdict>();
    const waiting: WaitingCheck = { text, schema, settle: resolve, isOver: false };
    const stopWaiting = this.#clock.callAfter(this.#limits.waitingMs, () => {
      waiting.isOver = true;
      resolve(busy);
    });
    this.#waiting.add(owner, waiting);
    void this.#checkAll();
    const verdict = await promise;
    stopWaiting();
    this.#count -= 1;
    return verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endThread();
  }

  /** One check after another. */
  async #checkAll(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    this.#stopIdling();
    for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take())
      if (!next.isOver) next.settle(await this.#judge(next));
    this.#isChecking = false;
    if (this.#worker !== undefined)
      this.#stopIdling = this.#clock.callAfter(this.#limits.idleMs, () => void this.#endThread());
  }

  async #judge(asked: AskedCheck): Promise<OutputVerdict> {
    const worker = this.#thread();
    // The process waits for a check that runs, and not for an idle thread.
    worker.ref();
    const verdict = (await this.#isReady) ? await this.#ask(worker, asked) : failed;
    if (verdict === tooLong || verdict === failed) await this.#endThread();
    else worker.unref();
    return verdict;
  }

  async #ask(worker: Worker, { text, schema }: AskedCheck): Promise<OutputVerdict> {
    const { promise, resolve } = Promise.withResolvers<OutputVerdict>();
    const stopTimer = this.#clock.callAfter(this.#limits.checkMs, () => resolve(tooLong));
    const onExit = () => resolve(failed);
    worker.once("message", resolve).once("exit", onExit);
    worker.postMessage({ text, schema } satisfies AskedCheck);
    const verdict = await promise;
    stopTimer();
    worker.off("message", resolve).off("exit", onExit);
    return verdict;
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startOutputThread(thread);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    worker.once("message", () => resolve(true));
    // An error is followed by the exit. Without a listener it would end the process.
    worker.once("exit", () => resolve(false)).on("error", () => undefined);
    this.#isReady = promise;
    this.#worker = worker;
    return worker;
  }

  async #endThread(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#stopIdling();
    await worker?.terminate();
  }
}
