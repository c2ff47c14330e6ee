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
  readJson,
  startGatedCluster,
  wholeText,
} from "./gated-cluster.ts";

test("when a server is gone, another ends its requests as interrupted, for present and for returning followers", async () => {
  await using system = await startGatedCluster();
  const asking = await system.first.connect();
  asking.send(chat("cut", { conversation_id: "new" }));
  await asking.next(isChunk);
  const following = await followFromStart(system.second, "cut");
  const seen = asking.received.slice();
  system.first.die();
  const messages = (await following.untilTerminal("cut")).slice(1);
  assert.deepEqual(messages.slice(0, seen.length), seen);
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "error" && terminal.code === "interrupted" && terminal.retryable);
  assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
  const back = await system.second.connect();
  back.send(chat("cut", { conversation_id: "new" }));
  assert.deepEqual(await back.untilTerminal("cut"), messages);
  assert.equal(system.upstream.requests.length, 1);

  const { conversation_id } = await readJson<{ conversation_id: string }>(system.second, "requests/cut");
  const stored = await readJson<{ messages: { text: string; status: string }[] }>(
    system.second,
    `conversations/${conversation_id}`,
  );
  assert.deepEqual(
    stored.messages.map(({ text, status }) => [text, status]),
    [
      ["Count.", "completed"],
      [textOf(messages), "failed"],
    ],
  );
});

test("a background answer of a server that is gone goes on in another", async () => {
  await using system = await startGatedCluster();
  system.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
  const asking = await askInBackground(system.first);
  const following = await followFromStart(system.second, "long");
  const seen = asking.received.slice();
  system.first.die();
  const messages = (await following.untilTerminal("long")).slice(1);
  assert.deepEqual(messages.slice(0, seen.length), seen);
  assert.equal(messages.at(-1)?.type, "response");
  assert.equal(textOf(messages), wholeText);
  assert.equal(system.upstream.requests.length, 1);
});

test("the turns that the last server left are ended by the next start", async () => {
  await using system = await startGatedCluster();
  const asking = await system.first.connect();
  for (const id of ["a", "b"]) asking.send(chat(id));
  await asking.next((message) => isChunk(message) && "request_id" in message && message.request_id === "a");
  await asking.next((message) => isChunk(message) && "request_id" in message && message.request_id === "b");
  system.second.die();
  system.first.die();
  const next = await system.start();
  const client = await next.connect();
  for (const id of ["a", "b"]) {
    client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
    const terminal = (await client.untilTerminal(id)).at(-1);
    assert.ok(terminal?.type === "error" && terminal.code === "interrupted");
  }
});

for (const [what, limits, sentence] of [
  ["the bytes of requests", { maxBytesPerOwner: 150_000 }, /may hold 150000 bytes/],
  ["requests in flight", { maxPerOwner: 2 }, /Too many requests are in flight/],
] as const) {
  test(`${what} are limited over all servers, and those of a lost server no longer count`, async () => {
    await using system = await startGatedCluster(limits);
    const [first, second] = [await system.first.connect(), await system.second.connect()];
    first.send(chat("one"));
    await first.next(isChunk);
    second.send(chat("two"));
    await second.next(isChunk);
    for (const client of [first, second]) {
      client.send(chat("three"));
      const refused = await client.next((message) => message.type === "error");
      assert.ok(refused.type === "error" && refused.code === "too_many_requests");
      assert.equal(refused.in_reply_to?.id, "three");
      assert.match(refused.message, sentence);
    }
    second.send({ type: "resume", data: { request_id: "one", after_seq: 0 } });
    system.first.die();
    await second.untilTerminal("one");
    second.send(chat("three"));
    await second.next(
      (message) => isChunk(message) && "request_id" in message && message.request_id === "three",
    );
  });
}
