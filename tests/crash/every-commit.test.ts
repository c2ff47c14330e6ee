import assert from "node:assert/strict";
import { it } from "node:test";
import { dieAt, dieInRecoveries, failPoints } from "./every-commit.ts";

// The quick part of tests/long/crash-recovery.ts.
for (const [name, point] of Object.entries(failPoints)) {
  it(`the store dies in place of the commit of ${name}: the rest is as if it had only been late`, async () => {
    assert.ok(await dieAt("chat", point));
  });
}

it("the same without chunks: the text of a persona that had ended is kept", async () => {
  assert.ok(await dieAt("multi_chat_unstreamed", failPoints["the answers"]));
});

it("the store dies again and again while it recovers, and reaches the same end", async () => {
  assert.equal(await dieInRecoveries("chat", 12), 12);
});
