import { Worker } from "node:worker_threads";
import type { WorkerOptions } from "./open-database.ts";

/** Starts a thread of `sqlite-worker.ts`. The one-file executable replaces this module by one that has the thread's code in it. */
export function startThread(workerData: WorkerOptions): Worker {
  const file = import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js";
  return new Worker(new URL(file, import.meta.url), { workerData });
}
