import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { terminal } from "../../ports/log-reading.ts";
import { created, recordOf } from "../../ports/turn-log-store-contract.ts";
import { openCluster } from "./open-cluster.ts";

const place = { caller: { owner: "owner", keyId: "k", limits: {} }, heldBytes: 0 };

describe("a turn of another process that does not start gives its place back", () => {
  it("if its log cannot be made", async () => {
    await using cluster = await openCluster({ maxPerKey: 1 });
    const { logs } = await cluster.join().open();
    const { create } = cluster.logs;
    cluster.logs.create = () => Promise.reject(new Error("no room"));
    for (let count = 0; count < 2; count += 1)
      await assert.rejects(logs.create(recordOf("owner", "id"), { place }), { message: "no room" });
    cluster.logs.create = create;
    assert.equal((await logs.create(recordOf("owner", "id"), { place })).type, "created");
  });

  it("if its id is taken", async () => {
    await using cluster = await openCluster({ maxPerKey: 1 });
    const { logs } = await cluster.join().open();
    await (await created(logs, "owner", "id")).append([terminal]);
    for (let count = 0; count < 2; count += 1)
      assert.equal((await logs.create(recordOf("owner", "id"), { place })).type, "exists");
  });
});
