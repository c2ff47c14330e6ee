/**
 * Loaded into every process of a test run (`--import`, with `?ms=` in its address). Node's own time limit ends a test that does
 * not settle, but nothing ends a file whose tests are over while a socket or a timer of theirs lives on: the run would wait for
 * ever. Here such a file fails, and says what it left open.
 */
// The runner itself loads this too, and has all the time that its files need together.
const isTestFile = process.env.NODE_TEST_CONTEXT !== undefined;
const deadlineMs = Number(new URL(import.meta.url).searchParams.get("ms"));

if (isTestFile) {
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(", ");
    console.error(`${process.argv[1]}: not over after ${deadlineMs / 1000} s; still open: ${open}`);
    process.exit(1);
  }, deadlineMs);
  // A file that ends by itself must not wait for its own time limit.
  timer.unref();
}
