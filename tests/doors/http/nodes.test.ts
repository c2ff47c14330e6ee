import assert from "node:assert/strict";
import { test } from "node:test";
import { startKeySystem } from "../../support/key-system.ts";
import { createTestClock } from "../../support/test-clock.ts";

test("a server alone lists itself, with its requests and its state", async () => {
  await using system = await startKeySystem({
    nodeName: "alone",
    clock: createTestClock(),
  });
  const nodes = async () => (await system.call("GET", "/api/admin/nodes")).json();
  const self = { incarnation: 0, name: "alone", self: true, heartbeat_age_ms: 0 };
  assert.deepEqual(await nodes(), { nodes: [{ ...self, state: "serving", turns: 0 }] });
  const { key } = await system.makeKey("bob");
  const client = await system.server.connect({ headers: { authorization: `Bearer ${key}` } });
  client.send({ type: "chat", id: "running", data: { message: "Hi", persona_id: "teacher" } });
  await client.next((message) => message.type === "status");
  void system.server.troupe.leaveBalancer();
  assert.deepEqual(await nodes(), { nodes: [{ ...self, state: "draining", turns: 1 }] });
});
