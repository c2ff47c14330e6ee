import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a thread of `output-worker.ts`. The one-file executable replaces this module by one that has the thread's code in it.
 */
export function startOutputThread(options: WorkerOptions): Worker {
  const file = import.meta.url.endsWith(".ts") ? "./output-worker.ts" : "./output-worker.js";
  return new Worker(new URL(file, import.meta.url), options);
}
