import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, endsOf, startBudgetStage } from "./budget-stage.ts";

test("a key may ask a number of times a minute, and a request that joins a running turn does not count", async () => {
  await using stage = await startBudgetStage({ requestsPerMinute: 3 });
  const client = await stage.server.connect();
  const small = { budget_tokens: 30 };
  for (const id of ["a", "b", "a", "a", "c", "b"]) {
    client.send(ask(id, small));
    const [end] = await endsOf(client, [id]);
    assert.equal(end?.type, "response", id);
  }
  client.send({ ...ask("d", small) });
  const [refused] = await endsOf(client, ["d"]);
  assert.ok(refused?.type === "error" && refused.code === "request_rate_exceeded" && refused.retryable);
  assert.equal(
    refused.message,
    "This key has asked too often in the last minute. This key may ask 3 times a minute.",
  );
  assert.equal(refused.retry_after_ms, 60_000 - (Math.floor(stage.clock.now()) % 60_000));
  assert.equal(stage.upstream.requests.length, 3);
  await stage.clock.advance(60_000);
  client.send(ask("d", small));
  assert.equal((await endsOf(client, ["d"]))[0]?.type, "response");
});

test("a key has a number of requests in flight over all its connections, independent of other callers", async () => {
  const [ada, bob] = ["ada-0123456789abcdef", "bob-0123456789abcdef"];
  const apiKeys = [
    { owner: "ada", key: ada },
    { owner: "bob", key: bob },
  ];
  await using stage = await startBudgetStage({ apiKeys, maxRequestsPerKey: 2 });
  const open = (key: string) => stage.server.connect({ headers: { authorization: `Bearer ${key}` } });
  const [first, second, other] = [await open(ada), await open(ada), await open(bob)];
  const begun = async (client: typeof first, id: string) => {
    client.send(ask(id));
    await client.next((message) => message.type === "chunk" && message.request_id === id);
  };
  await begun(first, "one");
  await begun(second, "two");
  second.send(ask("three"));
  const [refused] = await endsOf(second, ["three"]);
  assert.ok(refused?.type === "error" && refused.code === "too_many_requests" && refused.retryable);
  assert.match(refused.message, /This key may have 2 in flight\.$/);
  assert.equal(refused.retry_after_ms, 1_000);
  await begun(other, "one");
  first.send({ type: "cancel", data: { request_id: "one" } });
  await endsOf(first, ["one"]);
  await begun(second, "three");
});
