import { EventEmitter } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { queryObjects } from "node:v8";
import type { Worker } from "node:worker_threads";
import { createTroupe } from "../../../src/compose/create-troupe.ts";
import { listen } from "../../../src/compose/listen.ts";
import { answerParent } from "./child-program.ts";

const [openaiBaseUrl = "", store = "", data = "", retentionMs = ""] = process.argv.slice(2);
const mebibyte = 1024 ** 2;
/** Keeps only the first lines of the log. All of them would look like a growing heap. */
const maxLines = 20;
const lines: { warnings: string[]; faults: string[] } = { warnings: [], faults: [] };
let warnings = 0;
const noteIn = (kind: keyof typeof lines) => (fields: object, message: string) => {
  if (kind === "warnings") warnings += 1;
  if (lines[kind].length < maxLines) lines[kind].push(`${message}: ${inspect(fields)}`);
};
const nothing = () => undefined;
const threads = new Set<Worker>();
process.on("worker", (thread) => {
  threads.add(thread);
  thread.once("exit", () => threads.delete(thread));
});

/** Has little room and forgets ended requests, so the stored data soon reaches its final size. */
const troupe = await createTroupe({
  openaiApiKey: "test-key",
  openaiBaseUrl,
  store: store === "memory" ? "memory" : "sqlite",
  data,
  logBytes: 16 * mebibyte,
  logRetentionMs: Number(retentionMs),
  answerRetentionMs: Number(retentionMs),
  conversationBytes: mebibyte,
  logger: { debug: nothing, info: nothing, warn: noteIn("warnings"), error: noteIn("faults") },
});
const listening = await listen(troupe, { host: "127.0.0.1", port: 0 });

/**
 * Collects several times, with turns of the event loop in between. An object held only by a weak reference or a
 * finalizer, such as the signals of `AbortSignal.any`, outlives the job that looked at it.
 */
async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error("this program needs --expose-gc");
  for (let pass = 0; pass < 4; pass += 1) {
    globalThis.gc();
    await setImmediate();
  }
}

/** Heap of all threads but this one. The database has one thread. */
async function threadsHeapBytes(): Promise<number> {
  const statistics = await Promise.all([...threads].map((thread) => thread.getHeapStatistics()));
  return statistics.reduce((sum, { used_heap_size }) => sum + used_heap_size, 0);
}

const answers = {
  url: () => `ws://127.0.0.1:${listening.port}/ws`,
  async memory() {
    await collectGarbage();
    const { heapUsed, rss, external } = process.memoryUsage();
    return {
      heapUsedBytes: heapUsed,
      externalBytes: external,
      threadsHeapBytes: await threadsHeapBytes(),
      rssBytes: rss,
      ...troupe.stats(),
    };
  },
  /** The resources that a leak would leave open. */
  async resources() {
    await collectGarbage();
    const active = process.getActiveResourcesInfo();
    return {
      timers: active.filter((kind) => kind === "Timeout").length,
      sockets: active.filter((kind) => kind === "TCPSocketWrap").length,
      // If the system does not list open files, there is nothing to compare.
      openFiles: existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0,
      listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
      emitters: queryObjects(EventEmitter, { format: "count" }),
      signals: queryObjects(AbortSignal, { format: "count" }),
      functions: queryObjects(Function, { format: "count" }),
    };
  },
  stats: () => troupe.stats(),
  faults: () => lines.faults,
  warnings: () => ({ count: warnings, first: lines.warnings }),
  async close() {
    await listening.stop(troupe.close({ drainMs: 0 }));
  },
};
export type ServerAnswers = typeof answers;

answerParent(answers);
