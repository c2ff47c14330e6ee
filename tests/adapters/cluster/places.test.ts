import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { heapInUse } from "../../memory/heap-in-use.ts";
import { openCluster } from "./open-cluster.ts";

describe("the places of sockets in another process", () => {
  it("take no memory after their callers have left", async () => {
    await using cluster = await openCluster();
    const { places } = await cluster.join().open();
    async function comeAndGo(from: number, count: number): Promise<void> {
      for (let number = from; number < from + count; number += 1) {
        const caller = { owner: "ada", keyId: `${"k".repeat(50_000)}${number}`, limits: {} };
        assert.equal(await places.take(caller), undefined);
        await places.leave(caller);
      }
    }
    await comeAndGo(0, 10);
    const before = await heapInUse();
    await comeAndGo(10, 100);
    assert.ok((await heapInUse()) - before < 1_000_000);
  });
});
