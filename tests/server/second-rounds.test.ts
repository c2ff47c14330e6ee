import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { isTerminal, textOf } from "../support/wire-client.ts";

const wholeText = "One two three four.";

/** A server whose provider stops in the middle of each answer until the gate opens. */
async function startGated() {
  const stack = new AsyncDisposableStack();
  const gate = createGate();
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const script = streamScript(answer({ deltas: ["One ", "two ", "three ", "four."] }));
  upstream.respond([...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)]);
  const clock = createTestClock({ instantMs: 1_000 });
  const server = stack.use(await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock }));
  const { stats } = server.troupe;
  return {
    gate,
    upstream,
    clock,
    server,
    /** Settles when the server has noticed which connections are gone. */
    connections: (count: number) => until(() => stats().connections === count),
    async follow(after = 0) {
      const client = await server.connect();
      client.send({ type: "resume", data: { request_id: "r", after_seq: after } });
      await client.next((message) => message.type === "resumed");
      return client;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const ask = (data: object = {}) => ({
  type: "openai_chat",
  id: "r",
  data: { input_text: "Count.", pacing: { mode: "raw" }, ...data },
});
const isChunk = (message: ServerMessage) => message.type === "chunk";
const isError = (message: ServerMessage) => message.type === "error";

test("if one of two followers leaves, the request goes on for the other; if both leave, it is cancelled", async () => {
  await using system = await startGated();
  const first = await system.server.connect();
  first.send(ask({ on_disconnect: 5_000 }));
  await first.next(isChunk);
  const second = await system.follow();
  await second.next(isChunk);
  first.terminate();
  await system.connections(1);
  await system.clock.advance(60_000);
  assert.equal(system.server.troupe.stats().turns, 1);
  const call = await system.upstream.received(1);
  assert.equal(call.closedAtMs, undefined);
  second.terminate();
  await system.connections(0);
  await system.clock.advance(4_999);
  assert.equal(system.server.troupe.stats().turns, 1);
  await system.clock.advance(1);
  await system.upstream.closed(call);
  await until(() => system.server.troupe.stats().turns === 0);
});

test("one connection that follows twice leaves once, and is no second follower", async () => {
  await using system = await startGated();
  const first = await system.server.connect();
  first.send(ask({ on_disconnect: "cancel" }));
  await first.next(isChunk);
  for (let round = 0; round < 3; round += 1) {
    first.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
    await first.next((message) => message.type === "resumed");
    await first.next(isChunk);
  }
  assert.equal(system.server.troupe.stats().turns, 1);
  first.terminate();
  await system.upstream.closed(await system.upstream.received(1));
});

test("the same request sent at once on two sockets is one turn, whole for both", async () => {
  await using system = await startGated();
  const clients = [await system.server.connect(), await system.server.connect()];
  for (const client of clients) client.send(ask());
  for (const client of clients) await client.next(isChunk);
  system.gate.open();
  const [first, second] = await Promise.all(clients.map((client) => client.untilTerminal("r")));
  assert.deepEqual(second, first);
  assert.equal(textOf(first ?? []), wholeText);
  assert.equal(system.upstream.calls, 1);
});

test("the same id with different content at once on two sockets: one is answered, the other refused", async () => {
  await using system = await startGated();
  system.gate.open();
  const clients = [await system.server.connect(), await system.server.connect()];
  for (const [index, client] of clients.entries()) client.send(ask({ input_text: `Count ${index}.` }));
  const ends = await Promise.all(
    clients.map((client) => client.next((message) => isTerminal(message) || isError(message))),
  );
  const codes = ends.map((end) => (end.type === "error" ? end.code : end.type));
  assert.deepEqual(codes.sort(), ["request_id_conflict", "response"]);
  assert.equal(system.upstream.calls, 1);
  assert.equal(system.server.troupe.stats().turns, 0);
});

test("a cancel from two sockets at once ends the request once; a later one is told that it has ended", async () => {
  await using system = await startGated();
  const first = await system.server.connect();
  first.send(ask());
  await first.next(isChunk);
  const second = await system.follow();
  for (const client of [first, second]) client.send({ type: "cancel", data: { request_id: "r" } });
  const [one, other] = [await first.untilTerminal("r"), await second.untilTerminal("r")];
  const end = one.at(-1);
  assert.ok(end?.type === "response" && end.status === "cancelled");
  assert.deepEqual(other.at(-1), end);
  await until(() => system.server.troupe.stats().turns === 0);
  second.send({ type: "cancel", data: { request_id: "r" } });
  const late = await second.next(
    (message) => isError(message) && message.type === "error" && message.seq === undefined,
  );
  assert.ok(late.type === "error" && late.code === "request_ended");
  for (const client of [first, second])
    assert.equal(client.received.filter((message) => isTerminal(message)).length, 1);
});

test("simultaneous resumes from any place give each follower the rest once and in order", async () => {
  await using system = await startGated();
  const first = await system.server.connect();
  first.send(ask());
  await first.next(isChunk);
  const places = [0, 1, 2, 0];
  const followers = await Promise.all(places.map((after) => system.follow(after)));
  // On one of the sockets a second resume overtakes the first.
  followers[0]?.send({ type: "resume", data: { request_id: "r", after_seq: 2 } });
  followers[0]?.send({ type: "resume", data: { request_id: "r", after_seq: 1 } });
  system.gate.open();
  const whole = await first.untilTerminal("r");
  for (const [index, client] of followers.entries()) {
    const got = (await client.untilTerminal("r")).filter((message) => message.type !== "resumed");
    const seqs = got.map((message) => ("seq" in message ? message.seq : 0));
    if (index > 0) assert.deepEqual(got, whole.slice(places[index]));
    else assert.equal(seqs.at(-1), whole.length);
    assert.equal(got.filter(isTerminal).length, 1);
  }
  assert.equal(system.upstream.calls, 1);
});

test("a follow that was refused leaves nothing: after a new connection the conversation is followed once", async () => {
  await using system = await startGated();
  const refused = await system.server.connect();
  for (const conversation_id of ["never-was", "never-was", "another"]) {
    refused.send({ type: "follow", data: { conversation_id } });
    const error = await refused.next();
    assert.ok(error.type === "error" && error.code === "conversation_not_found");
  }
  refused.terminate();
  await system.connections(0);
  system.gate.open();
  const chat = { type: "chat", data: { message: "Hi", persona_id: "teacher", pacing: { mode: "raw" } } };
  const asking = await system.server.connect();
  asking.send({ ...chat, id: "first" });
  const end = (await asking.untilTerminal("first")).at(-1);
  assert.ok(end?.type === "response" && end.request_type === "chat");
  const { conversation_id } = end.data;
  const follower = await system.server.connect();
  for (let round = 0; round < 2; round += 1) {
    follower.send({ type: "follow", data: { conversation_id } });
    const following = { type: "following", conversation_id, running: [] };
    assert.deepEqual(await follower.next(), { ...following, last_request_id: "first" });
  }
  asking.send({ ...chat, id: "second" });
  await asking.untilTerminal("second");
  const followed = await follower.untilTerminal("second");
  assert.equal(followed.filter(({ type }) => type === "question").length, 1);
  assert.equal(followed.filter(isTerminal).length, 1);
});

test("a resume at the same moment as the deletion is answered whole or not at all", async () => {
  await using system = await startGated();
  system.gate.open();
  for (let count = 0; count < 10; count += 1) {
    const client = await system.server.connect();
    const id = `r-${count}`;
    const data = { message: "Hi", persona_id: "teacher", conversation_id: "new", pacing: { mode: "raw" } };
    client.send({ type: "chat", id, data });
    const whole = await client.untilTerminal(id);
    const end = whole.at(-1);
    assert.ok(end?.type === "response" && end.request_type === "chat");
    const address = `${system.server.httpUrl}/api/conversations/${end.data.conversation_id}`;
    const deleted = fetch(address, { method: "DELETE" });
    for (let turn = 0; turn < count * 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const follower = await system.server.connect();
    follower.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
    const reply = await follower.next();
    if (reply.type === "error") assert.equal(reply.code, "request_not_found");
    else assert.deepEqual((await follower.untilTerminal(id)).slice(1), whole);
    assert.equal((await deleted).status, 204);
  }
});
