import type { Worker } from "node:worker_threads";
import type { StatementName, Write } from "../../src/adapters/sqlite/statements.ts";

interface Message {
  readonly type?: unknown;
  readonly call?: number;
  readonly writes?: readonly Write[];
}

/** The commit at which a thread dies: the n-th one, counted from 1, that runs a statement with a text. */
export interface FailPoint {
  readonly nth: number;
  readonly statement?: StatementName;
  readonly containing?: string;
}

/** Lets a test end the threads of all stores that are opened before it is disposed of. */
export interface MortalThreads extends Disposable {
  /** Number of live threads. */
  readonly alive: number;
  /** Whether a thread has died since the last call of `dieAt`. */
  readonly died: boolean;
  /** Starts to count commits from now on; `undefined` lets the threads live. */
  dieAt(point: FailPoint | undefined): void;
  /** From now on commits find the disk full, or not full any more. */
  refuse(isFull: boolean): void;
  /** Kills all live threads now; settles when they have ended. */
  die(): Promise<void>;
}

/** The error as SQLite words it. */
const diskFull = { name: "Error", message: "database or disk is full", errcode: 13 };

/** A dying thread does nothing of its last commit, as if the process had been killed right before it. */
export function createMortalThreads(): MortalThreads {
  const threads = new Set<Worker>();
  let point: FailPoint | undefined;
  let count = 0;
  let died = false;
  let isFull = false;

  function isFatal({ type, writes = [] }: Message): boolean {
    if (point === undefined || type !== "commit") return false;
    const { nth, statement, containing = "" } = point;
    const fits = writes.some(
      ([name, ...values]) => name === (statement ?? name) && String(values.at(-1)).includes(containing),
    );
    if (fits) count += 1;
    return fits && count === nth;
  }

  function adopt(thread: Worker): void {
    const post = thread.postMessage.bind(thread) as (message: Message) => void;
    let isDead = false;
    threads.add(thread);
    thread.once("exit", () => threads.delete(thread));
    thread.postMessage = (message: Message) => {
      isDead ||= isFatal(message);
      if (isFull && message.type === "commit") {
        const { call } = message;
        setImmediate(() => thread.emit("message", { type: "error", call, ...diskFull }));
        return;
      }
      if (!isDead) {
        post(message);
        return;
      }
      died = true;
      void thread.terminate();
    };
  }

  process.on("worker", adopt);
  return {
    get alive() {
      return threads.size;
    },
    get died() {
      return died;
    },
    dieAt(next) {
      point = next;
      count = 0;
      died = false;
    },
    refuse(isFullNow) {
      isFull = isFullNow;
    },
    async die() {
      died = true;
      await Promise.all([...threads].map((thread) => thread.terminate()));
    },
    [Symbol.dispose]() {
      process.off("worker", adopt);
    },
  };
}
