import assert from "node:assert/strict";
import { it } from "node:test";
import { createMemoryResponses } from "../../../src/adapters/memory/memory-responses.ts";
import { textMessage } from "../../../src/ports/item.ts";
import { describeResponses, responseRetentionMs } from "../../ports/response-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeResponses("memory", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  const store = createMemoryResponses({ clock, retentionMs: responseRetentionMs });
  return { store, clock, [Symbol.asyncDispose]: async () => undefined };
});

it("memory drops the oldest responses beyond its bytes", async () => {
  const clock = createTestClock({ instantMs: 1_000 });
  const store = createMemoryResponses({ clock, retentionMs: responseRetentionMs, maxBytes: 10_000 });
  const items = [textMessage("user", "x".repeat(1_000))];
  for (let index = 0; index < 6; index += 1) await store.keep("ada", { id: `r${index}`, items });
  const kept = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (index) => (await store.context("ada", `r${index}`, 1)) !== undefined),
  );
  assert.deepEqual(kept, [false, false, false, true, true, true]);
});
