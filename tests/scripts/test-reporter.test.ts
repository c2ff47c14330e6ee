import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import report from "../../scripts/test-reporter.ts";

type Events = Parameters<typeof report>[0];

async function reportOf(...events: object[]): Promise<string> {
  // The events as Node sends them, with only the fields that a reporter of dots reads.
  const stream: AsyncIterable<object> = (async function* () {
    yield* events;
  })();
  let written = "";
  for await (const part of report(stream as Events)) written += part;
  return written;
}

const diagnostic = (message: string, file?: string) => ({
  type: "test:diagnostic",
  data: { nesting: 0, message, level: "info", file },
});

const failure = (file: string) => ({
  type: "test:fail",
  data: {
    name: "broken",
    nesting: 0,
    file: resolve(file),
    details: { duration_ms: 1, error: new Error("x") },
  },
});

test("Node's summary comes last, and a test's own output is not taken for it", async () => {
  const written = await reportOf(
    diagnostic("fail 7", "tests/a.test.ts"),
    diagnostic("a remark"),
    diagnostic("tests 3"),
    diagnostic("pass 2"),
    diagnostic("fail 1"),
  );
  assert.ok(written.endsWith("\n# tests 3\n# pass 2\n# fail 1\n"), written);
  assert.doesNotMatch(written, /fail 7|remark/);
});

test("only a failed file's error output is shown", async () => {
  const written = await reportOf(
    { type: "test:stderr", data: { file: "tests/a.test.ts", message: "could not\n" } },
    { type: "test:stderr", data: { file: "tests/b.test.ts", message: "chatter\n" } },
    { type: "test:stderr", data: { file: "tests/a.test.ts", message: "load\n" } },
    failure("tests/a.test.ts"),
    diagnostic("tests 1"),
  );
  assert.match(written, /Error output of tests[\\/]a\.test\.ts:\ncould not\nload\n\n# tests 1\n$/);
  assert.doesNotMatch(written, /chatter/);
});
