import assert from "node:assert/strict";
import { test } from "node:test";
import { readFlags, withFlag } from "../../src/compose/read-flags.ts";

test("a worker's command line has its port once, however the user wrote it", () => {
  for (const args of [
    [],
    ["--port", "80"],
    ["--port=80"],
    ["--host", "a", "--port", "80", "--model=--x"],
    ["--port=80", "--host=a"],
  ]) {
    const { values } = readFlags(withFlag(args, "port", "8123"));
    const others = [...readFlags(args).values].filter(([name]) => name !== "port");
    assert.deepEqual([...values], [...others, ["port", "8123"]]);
  }
});

test("a value may start with a dash after an equals sign", () => {
  assert.equal(readFlags(["--openai-project=-x"]).values.get("openai-project"), "-x");
});
