import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFiles } from "../../scripts/run-test-files.ts";
import { testEnvironment } from "../../scripts/test-environment.ts";

const files = ["tests/server/turn.test.ts", "tests\\chat\\pace.test.ts", "tests/chat/lane.test.ts"];

test("without a filter every file is chosen, with forward slashes and sorted", () => {
  const all = ["tests/chat/lane.test.ts", "tests/chat/pace.test.ts", "tests/server/turn.test.ts"];
  assert.deepEqual(chooseFiles(files, []), all);
});

test("a filter is a part of a path, however it is written", () => {
  assert.deepEqual(chooseFiles(files, ["pace"]), ["tests/chat/pace.test.ts"]);
  assert.deepEqual(chooseFiles(files, ["./tests/server/", "lane"]), [
    "tests/chat/lane.test.ts",
    "tests/server/turn.test.ts",
  ]);
  assert.deepEqual(chooseFiles(files, ["nothing"]), []);
});

test("keys, settings and options of Node do not reach the tests; all else does", () => {
  const environment = {
    PATH: "/usr/bin",
    CI: "true",
    OPENAI_API_KEY: "sk-secret",
    OPENAI_BASE_URL: "https://example.org",
    ANTHROPIC_API_KEY: "secret",
    TROUPE_DATA: "/tmp/data",
    DATABASE_URL: "postgres://",
    PORT: "1",
    NODE_OPTIONS: "--inspect",
    NODE_EXTRA_CA_CERTS: "/etc/ca.pem",
  };
  assert.deepEqual(testEnvironment(environment), {
    PATH: "/usr/bin",
    CI: "true",
    NODE_EXTRA_CA_CERTS: "/etc/ca.pem",
  });
});
