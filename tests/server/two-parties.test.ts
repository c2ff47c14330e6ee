import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import type { WireClient } from "../support/wire-client.ts";

const events = answer({ deltas: ["Half ", "an ", "answer."] });

/** A server whose provider stops in the middle of each answer until the gate opens. */
async function startGated(maxRequests = 1) {
  await using stack = new AsyncDisposableStack();
  const gate = createGate();
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const script = streamScript(events);
  upstream.respond([...script.slice(0, 6), { waitFor: gate.opened }, ...script.slice(6)]);
  const clock = createTestClock({ instantMs: 1_000 });
  const server = stack.use(
    await startTroupe({
      ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock, pacing: "raw", maxRequests },
    }),
  );
  const owned = stack.move();
  return {
    ...{ gate, upstream, clock, server },
    async leave(client: WireClient) {
      const { connections } = server.troupe.stats();
      client.terminate();
      await until(() => server.troupe.stats().connections < connections);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Gated = Awaited<ReturnType<typeof startGated>>;

const question = (id: string, on_disconnect: "cancel" | "finish" | number = "finish") => ({
  type: "chat",
  id,
  data: { message: "Hi", persona_id: "teacher", on_disconnect },
});

const chunkOf = (client: WireClient, id: string) =>
  client.next((message) => message.type === "chunk" && message.request_id === id);

/** A client that has asked and sees words, and another one that has joined it. */
async function startFollowed(system: Gated, onDisconnect: "cancel" | number) {
  const [asker, other] = [await system.server.connect(), await system.server.connect()];
  asker.send(question("shared", onDisconnect));
  await chunkOf(asker, "shared");
  other.send({ type: "resume", data: { request_id: "shared", after_seq: 0 } });
  await chunkOf(other, "shared");
  assert.equal(system.server.troupe.stats().watchers, 2);
  return [asker, other] as const;
}

for (const onDisconnect of ["cancel", 5_000] as const)
  for (const leaver of ["asker", "follower"] as const) {
    test(`on_disconnect ${onDisconnect}: the ${leaver} leaves and the other one gets the whole answer`, async () => {
      await using system = await startGated();
      const [asker, other] = await startFollowed(system, onDisconnect);
      await system.leave(leaver === "asker" ? asker : other);
      await system.clock.advance(60_000);
      system.gate.open();
      const rest = await (leaver === "asker" ? other : asker).untilTerminal("shared");
      const end = rest.at(-1);
      assert.ok(end?.type === "response" && end.status === "completed");
    });

    test(`on_disconnect ${onDisconnect}: both leave, the ${leaver} first, and the request is cancelled`, async () => {
      await using system = await startGated();
      const [asker, other] = await startFollowed(system, onDisconnect);
      const order = leaver === "asker" ? [asker, other] : [other, asker];
      for (const client of order) await system.leave(client);
      assert.equal(system.server.troupe.stats().watchers, 0);
      await system.clock.advance(5_001);
      await system.upstream.closed(await system.upstream.received(1));
      await until(() => system.server.troupe.stats().turns === 0);
      assert.equal(system.server.troupe.stats().places, 0);
    });
  }

test("a follower that follows the same request twice counts once", async () => {
  await using system = await startGated();
  const [asker, other] = await startFollowed(system, "cancel");
  other.send({ type: "resume", data: { request_id: "shared", after_seq: 0 } });
  await other.next((message) => message.type === "resumed");
  await until(() => system.server.troupe.stats().watchers === 2);
  await system.leave(other);
  assert.equal(system.server.troupe.stats().watchers, 1);
  await system.leave(asker);
  await system.clock.advance(1);
  await system.upstream.closed(await system.upstream.received(1));
});

test("two clients send the same request at the same moment: one call, and one answer for both", async () => {
  await using system = await startGated(2);
  const clients = [await system.server.connect(), await system.server.connect()];
  const ask = { type: "openai_chat", id: "same", data: { input_text: "Hi" } };
  for (const client of clients) client.send(ask);
  for (const client of clients) await chunkOf(client, "same");
  assert.equal(system.server.troupe.stats().places, 1);
  system.gate.open();
  const [one, other] = await Promise.all(clients.map((client) => client.untilTerminal("same")));
  assert.deepEqual(one, other);
  assert.equal(one?.at(-1)?.type, "response");
  assert.equal(system.upstream.calls, 1);
});

test("the owner of a conversation follows it with two devices: one leaves, and the other gets the next question", async () => {
  await using system = await startGated();
  system.gate.open();
  const asker = await system.server.connect();
  asker.send(question("first"));
  const end = (await asker.untilTerminal("first")).at(-1);
  assert.ok(end?.type === "response" && "conversation_id" in end.data);
  const follow = { type: "follow", data: { conversation_id: end.data.conversation_id } };
  const devices = [await system.server.connect(), await system.server.connect()] as const;
  for (const device of devices) {
    device.send(follow);
    await device.next((message) => message.type === "following");
  }
  assert.equal(system.server.troupe.stats().subscriptions, 2);
  await system.leave(devices[0]);
  assert.equal(system.server.troupe.stats().subscriptions, 1);
  asker.send(question("second"));
  const heard = await devices[1].untilTerminal("second");
  assert.deepEqual([heard[0]?.type, heard.at(-1)?.type], ["question", "response"]);
});

test("following again moves the subscription, and a refused follow leaves none", async () => {
  await using system = await startGated();
  system.gate.open();
  const client = await system.server.connect();
  client.send(question("first"));
  const end = (await client.untilTerminal("first")).at(-1);
  assert.ok(end?.type === "response" && "conversation_id" in end.data);
  const follow = (conversation_id: unknown) => client.send({ type: "follow", data: { conversation_id } });
  follow("conv_unknown");
  await client.next((message) => message.type === "error");
  assert.equal(system.server.troupe.stats().subscriptions, 0);
  for (let time = 0; time < 2; time += 1) {
    follow(end.data.conversation_id);
    await client.next((message) => message.type === "following");
    assert.equal(system.server.troupe.stats().subscriptions, 1);
  }
  await system.leave(client);
  assert.equal(system.server.troupe.stats().subscriptions, 0);
});
