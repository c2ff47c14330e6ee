import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded into a server's threads. Every commit of its store waits `COMMIT_MS`, as on a slow disk. When the server ends,
 * the event-loop delays of its serving thread are written to the file that `LOOP_DELAYS` names.
 */
const commitMs = Number(process.env.COMMIT_MS ?? 0);
const file = process.env.LOOP_DELAYS ?? "";

if (isMainThread) {
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  process.on("exit", () => {
    const [median, high, most] = [delays.percentile(50), delays.percentile(99), delays.max];
    writeFileSync(file, JSON.stringify({ medianMs: median / 1e6, highMs: high / 1e6, maxMs: most / 1e6 }));
  });
} else if (commitMs > 0) {
  const { exec } = DatabaseSync.prototype;
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    if (sql === "COMMIT") Atomics.wait(nobody, 0, 0, commitMs);
    exec.call(this, sql);
  };
}
