import { isMainThread, Worker } from "node:worker_threads";

/**
 * Loaded into every process of a test run (`--import`, with `?ms=` in its address). Node's own time limit ends a test
 * that does not settle. But it does not end a file whose tests are over while one of their sockets or timers is still
 * open, and the run would wait for ever. This module makes such a file fail and report its open handles. A file in an
 * endless loop fires no timer, so a thread watches the time too, and kills the process a little later.
 */
// The runner loads this module too, and may take as long as all its files together. So may threads that a test starts.
const isTestFile = process.env.NODE_TEST_CONTEXT !== undefined && isMainThread;
const deadlineMs = Number(new URL(import.meta.url).searchParams.get("ms"));
/** Time that the file has to report its open handles before the thread kills it. */
const graceMs = 2_000;

/** A few lines of plain JavaScript, because they are parsed at the start of every test file. */
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
  // The timer must not keep a file from ending by itself.
  timer.unref();
  new Worker(watchdog, { eval: true, execArgv: [], env: {}, workerData }).unref();
}
