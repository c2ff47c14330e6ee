import assert from "node:assert/strict";
import { test } from "node:test";
import { apiKeys, askOn, responseIdOf } from "../server/vendor-callers.ts";
import { type ClusterServer, startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";

test("a response made at one server can be continued at another by its owner only", async () => {
  const clock = createTestClock({ instantMs: 900 });
  await using cluster = await startCluster(2, { apiKeys, clock });
  const [first, second] = cluster.servers as [ClusterServer, ClusterServer];
  const previous_response_id = responseIdOf(await askOn(first, "ada"));
  assert.equal((await askOn(second, "ada", { previous_response_id })).type, "response");
  const [foreign, unknown] = [
    await askOn(second, "bob", { previous_response_id }),
    await askOn(second, "bob", { previous_response_id: "resp_never" }),
  ];
  assert.ok(foreign.type === "error" && foreign.code === "previous_response_not_found");
  assert.deepEqual(foreign, unknown);
});
