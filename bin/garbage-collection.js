import os from "node:os";

/**
 * Size in MiB of each half of V8's young generation. By default V8 lets it grow to 64, and each collection then stops the loop for some
 * 20 ms under load. With 8 a collection takes 3 ms, and the process a third less memory (docs/PERFORMANCE.md, "Garbage collection").
 */
const maxMiB = 8;

/**
 * For a single core, where V8's helper threads compete with the event loop and the database's thread. The loop itself then does full
 * collections, so they must be rarer: at two and a half times the live heap instead of one and a half.
 */
const forOneCore = ["--single-threaded-gc", "--heap-growing-percent=150"];

/**
 * Restarts this process with these options, because V8 reads them only at the start. The process keeps its id, arguments and streams.
 *
 * Does nothing if the young generation is already bounded (by the user or this restart), or if the system cannot do it (Windows). Also
 * does nothing in a child with a channel to its parent, which would be lost.
 */
export function setGarbageCollection() {
  const said = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
  if (/semi[-_]space[-_]size/.test(said) || process.platform === "win32") return;
  if (process.execve === undefined || process.send !== undefined) return;
  const [, script = "", ...args] = process.argv;
  const options = [...process.execArgv, `--max-semi-space-size=${maxMiB}`];
  if (os.availableParallelism() === 1) options.push(...forOneCore);
  process.execve(process.execPath, [process.argv0, ...options, script, ...args]);
}
