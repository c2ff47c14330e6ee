import { isMainThread, Worker } from "node:worker_threads";

/**
 * Loaded into every process of a test run (`--import`, with `?ms=` in its address). Node's own time limit ends a test that does
 * not settle, but nothing ends a file whose tests are over while a socket or a timer of theirs lives on: the run would wait for
 * ever. Here such a file fails, and says what it left open. A file that computes without an end fires no timer, so a thread
 * beside it watches the time too, and kills the process a little later.
 */
// The runner itself loads this too, and has all the time that its files need together. So do threads that a test starts.
const isTestFile = process.env.NODE_TEST_CONTEXT !== undefined && isMainThread;
const deadlineMs = Number(new URL(import.meta.url).searchParams.get("ms"));
/** How long the file itself has to report what it left open before the thread kills it. */
const graceMs = 2_000;

/** Plain JavaScript of few lines: it is parsed at the start of every test file. */
const watchdog = `
const { workerData } = require("node:worker_threads");
setTimeout(() => {
  require("node:fs").writeSync(2, workerData.line + "\\n");
  process.kill(process.pid, "SIGKILL");
}, workerData.ms);
`;

if (isTestFile) {
  const [, file] = process.argv;
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(", ");
    console.error(`${file}: not over after ${deadlineMs / 1000} s; still open: ${open}`);
    process.exit(1);
  }, deadlineMs);
  const line = `${file}: killed after ${deadlineMs / 1000} s, because its event loop does not turn`;
  const workerData = { ms: deadlineMs + graceMs, line };
  // A file that ends by itself must not wait for its own time limit.
  timer.unref();
  new Worker(watchdog, { eval: true, execArgv: [], env: {}, workerData }).unref();
}
