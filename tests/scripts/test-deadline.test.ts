import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";

const deadline = new URL("../../scripts/test-deadline.ts", import.meta.url).href;

/** Runs a line of code under the deadline, as a file of a test run or as the runner itself. */
async function run(code: string, ms: number, role: "test file" | "runner") {
  const { NODE_TEST_CONTEXT, ...environment } = process.env;
  const env = role === "runner" ? environment : { ...environment, NODE_TEST_CONTEXT: "child" };
  const child = spawn(process.execPath, [`--import=${deadline}?ms=${ms}`, "--eval", code, "some.test.ts"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [errors, [exitCode, signal]] = await Promise.all([text(child.stderr), once(child, "close")]);
  return { exitCode, signal, errors };
}

test("a file that leaves something open fails at its deadline and names it", async () => {
  const { exitCode, errors } = await run('require("node:net").createServer().listen(0)', 20, "test file");
  assert.equal(exitCode, 1);
  assert.match(errors, /still open: .*TCPServerWrap/);
});

test("a file that ends by itself does not wait for its deadline", async () => {
  assert.deepEqual(await run("", 600_000, "test file"), { exitCode: 0, signal: null, errors: "" });
});

test("a file that spins is killed after its deadline and named in one line", async () => {
  const { signal, errors } = await run("for (;;);", 20, "test file");
  assert.equal(signal, "SIGKILL");
  assert.match(errors, /^some\.test\.ts: killed after 0\.02 s, because its event loop does not turn\n$/);
});

test("the runner has no deadline", async () => {
  const { exitCode } = await run("setTimeout(() => process.exit(7), 100)", 20, "runner");
  assert.equal(exitCode, 7);
});
