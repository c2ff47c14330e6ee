import assert from "node:assert/strict";
import { test } from "node:test";
import { chat, followFromStart, isChunk, readJson, startGatedCluster } from "./gated-cluster.ts";

test("a conversation deleted through one server takes the requests of all with it, wherever they are followed", async () => {
  await using system = await startGatedCluster();
  const { first, second, upstream } = system;
  const [asking, other] = [await first.connect(), await second.connect()];
  asking.send(chat("one", { conversation_id: "new" }));
  await asking.next(isChunk);
  const { conversation_id } = await readJson<{ conversation_id: string }>(second, "requests/one");
  other.send(chat("two", { conversation_id }));
  await other.next(isChunk);
  const follower = await followFromStart(second, "one");
  const address = (server: typeof first, path: string) => `${server.httpUrl}/api/${path}`;
  const conversation = `conversations/${conversation_id}`;
  assert.equal((await fetch(address(second, conversation), { method: "DELETE" })).status, 204);
  for (const request of upstream.requests) await upstream.closed(request);
  for (const [client, id] of [
    [asking, "one"],
    [other, "two"],
    [follower, "one"],
  ] as const) {
    const end = (await client.untilTerminal(id)).at(-1);
    assert.ok(end?.type === "response" && end.status === "cancelled", id);
  }
  for (const server of [first, second]) {
    assert.equal(server.troupe.stats().turns, 0);
    for (const path of [conversation, "requests/one", "requests/two"])
      assert.equal((await fetch(address(server, path))).status, 404, path);
  }
  for (const table of ["runningTurns", "conversationsOfTurns"] as const)
    assert.deepEqual(await system.store.read(table, ...(table === "runningTurns" ? [] : [0])), []);
  asking.send(chat("late", { conversation_id }));
  const refused = await asking.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "conversation_not_found");
});

test("a server that is gone does not hold up a deletion, and its requests are deleted with the conversation", async () => {
  await using system = await startGatedCluster();
  const { first, second } = system;
  const asking = await first.connect();
  asking.send(chat("one", { conversation_id: "new" }));
  await asking.next(isChunk);
  const { conversation_id } = await readJson<{ conversation_id: string }>(second, "requests/one");
  const deleted = fetch(`${second.httpUrl}/api/conversations/${conversation_id}`, { method: "DELETE" });
  first.die();
  assert.equal((await deleted).status, 204);
  for (let tries = 0; ; tries += 1) {
    const [running, ended] = [
      await system.store.read("runningTurns"),
      await system.store.read("conversationsOfTurns", 0),
    ];
    if (running.length + ended.length === 0) break;
    assert.ok(tries < 5_000);
  }
});
