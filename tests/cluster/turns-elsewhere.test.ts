import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chat, startGatedCluster } from "./gated-cluster.ts";
import { describeTurnsElsewhere } from "./turns-elsewhere-contract.ts";

const isChunk = (message: ServerMessage) => message.type === "chunk";

describeTurnsElsewhere("processes with one hub", startGatedCluster);

test("a follower on another server keeps a request running, and its leaving counts", async () => {
  await using system = await startGatedCluster();
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const asking = await system.first.connect();
  asking.send(chat("watched", { on_disconnect: 5_000 }));
  await asking.next(isChunk);
  const client = await system.second.connect();
  client.send({ type: "resume", data: { request_id: "watched", after_seq: 0 } });
  await client.next(isChunk);
  asking.terminate();
  while (system.first.troupe.stats().connections > 0) await settled();
  await system.clock.advance(60_000);
  assert.equal(system.first.troupe.stats().turns, 1);
  client.terminate();
  const call = await system.upstream.received(1);
  for (let steps = 0; steps < 50 && call.closedAtMs === undefined; steps += 1)
    await system.clock.advance(5_001);
  await system.upstream.closed(call);
});
