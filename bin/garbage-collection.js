import os from "node:os";

/**
 * MiB, of each half of V8's young generation. V8 lets it grow to 64, of which each collection stops the loop for some 20 ms under load;
 * with 8 they take 3, and the process a third less memory (ARCHITECTURE.md, "Where the time of a token goes").
 */
const mostMiB = 8;

/**
 * For one core, which V8's helper threads would only take from the event loop and from the database's thread. What collects everything then
 * is the loop itself, so that it should come to that seldom: when the heap is two and a half times what lives of it, not one and a half.
 */
const forOneCore = ["--single-threaded-gc", "--heap-growing-percent=150"];

/**
 * Starts this process over with these options, which V8 takes only when a process begins: it keeps its number, its arguments and its
 * streams. Does nothing where somebody has bounded the young generation, where the process has begun with the options already, where the
 * system cannot do it (Windows), and in a child that talks to its parent, which would lose the way to it.
 */
export function setGarbageCollection() {
  const said = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
  if (/semi[-_]space[-_]size/.test(said) || process.platform === "win32") return;
  if (process.execve === undefined || process.send !== undefined) return;
  const [, script = "", ...args] = process.argv;
  const options = [...process.execArgv, `--max-semi-space-size=${mostMiB}`];
  if (os.availableParallelism() === 1) options.push(...forOneCore);
  process.execve(process.execPath, [process.argv0, ...options, script, ...args]);
}
