import assert from "node:assert/strict";
import { test } from "node:test";
import { openCluster } from "./open-cluster.ts";

test("a revocation waits neither for a process that is starting nor for one that is gone", async () => {
  await using cluster = await openCluster();
  const { keys } = await cluster.join().open();
  const gone = cluster.join();
  await gone.open();
  cluster.join();
  const { id } = await keys.create({ owner: "ada", limits: {} }, "digest");
  const revoked = keys.revoke(id);
  gone.line.cut();
  assert.equal((await revoked)?.id, id);
});

test("a late listener gets earlier revocations, so that a starting process misses none", async () => {
  await using cluster = await openCluster();
  const [first, second] = [await cluster.join().open(), await cluster.join().open()];
  const { id } = await first.keys.create({ owner: "ada", limits: {} }, "digest");
  await first.keys.revoke(id);
  const heard: string[] = [];
  second.keys.onRevoked((key) => heard.push(key));
  assert.deepEqual(heard, [id]);
});
