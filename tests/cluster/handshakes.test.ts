import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../support/start-cluster.ts";
import { createTestClock } from "../support/test-clock.ts";
import { connect } from "../support/wire-client.ts";

const key = "ada-key-of-sixteen-characters";

test("a ticket that one server issued opens one socket of another, and no second one anywhere", async () => {
  const apiKeys = [{ owner: "ada", key }];
  await using cluster = await startCluster(2, { apiKeys, clock: createTestClock({ instantMs: 1_000 }) });
  const [first, second] = cluster.servers;
  const response = await fetch(`${first?.httpUrl}/api/tickets`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
  });
  const { ticket } = (await response.json()) as { ticket: string };
  const client = await connect(`${second?.url}?ticket=${ticket}`);
  client.send({ type: "ping" });
  assert.equal((await client.next()).type, "pong");
  client.terminate();
  for (const server of [first, second])
    await assert.rejects(connect(`${server?.url}?ticket=${ticket}`), /401/);
});
