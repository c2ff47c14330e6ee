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
  const child = spawn(process.execPath, [`--import=${deadline}?ms=${ms}`, "--eval", code], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [errors, [exitCode]] = await Promise.all([text(child.stderr), once(child, "close")]);
  return { exitCode, errors };
}

test("a file that leaves something open fails at its deadline and names it", async () => {
  const { exitCode, errors } = await run('require("node:net").createServer().listen(0)', 20, "test file");
  assert.equal(exitCode, 1);
  assert.match(errors, /still open: .*TCPServerWrap/);
});

test("a file that ends by itself does not wait for its deadline", async () => {
  assert.deepEqual(await run("", 600_000, "test file"), { exitCode: 0, errors: "" });
});

test("the runner has no deadline", async () => {
  const { exitCode } = await run("setTimeout(() => process.exit(7), 100)", 20, "runner");
  assert.equal(exitCode, 7);
});
