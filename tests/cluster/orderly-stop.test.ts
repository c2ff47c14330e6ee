import assert from "node:assert/strict";
import { test } from "node:test";
import { restOf } from "../doubles/background-answer.ts";
import { textOf } from "../support/wire-client.ts";
import {
  askInBackground,
  chat,
  events,
  followFromStart,
  isChunk,
  startGatedCluster,
  wholeText,
} from "./gated-cluster.ts";

test("a background answer that a server leaves goes on in another that serves", async () => {
  await using system = await startGatedCluster();
  system.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
  const asking = await askInBackground(system.first);
  const following = await followFromStart(system.second, "long");
  await system.first.troupe.close({ drainMs: 60_000 });
  const seen = asking.received.slice();
  assert.ok(seen.every(({ type }) => type === "status" || type === "chunk"));
  system.first.die();
  const messages = (await following.untilTerminal("long")).slice(1);
  assert.deepEqual(messages.slice(0, seen.length), seen);
  assert.equal(messages.at(-1)?.type, "response");
  assert.equal(textOf(messages), wholeText);
  assert.equal(system.upstream.requests.length, 1);
});

test("an answer that all servers leave is continued by the next start, not by servers that are stopping", async () => {
  await using system = await startGatedCluster();
  system.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
  await askInBackground(system.first);
  const busy = await system.second.connect();
  busy.send(chat("short"));
  await busy.next(isChunk);
  const following = await followFromStart(system.second, "long");
  const stopped = system.second.troupe.close({ drainMs: 60_000 });
  await system.first.troupe.close({ drainMs: 60_000 });
  system.first.die();
  system.gate.open();
  assert.equal((await busy.untilTerminal("short")).at(-1)?.type, "response");
  await stopped;
  // The client is told to reconnect, even if its answer ran in another process.
  assert.equal((await following.closed).code, 1012);
  system.second.die();
  assert.equal(system.upstream.retrievals.length, 0);
  const next = await system.start();
  const client = await next.connect();
  client.send({ type: "resume", data: { request_id: "long", after_seq: 0 } });
  assert.equal(textOf(await client.untilTerminal("long")), wholeText);
  assert.deepEqual(system.upstream.sideRequests, []);
});
