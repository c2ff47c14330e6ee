import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import type { WireClient } from "../support/wire-client.ts";

async function startWith(store: "memory" | "sqlite") {
  const upstream = await createUpstreamDouble();
  const gate = createGate();
  let isHeld = false;
  upstream.respond((_, index) => [
    ...(isHeld ? [{ waitFor: gate.opened }] : []),
    ...streamScript(answer({ text: `Answer ${index + 1}.` })),
  ]);
  const data = await mkdtemp(path.join(tmpdir(), "troupe-follow-"));
  const server = await startTroupe({ store, data, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(data, { recursive: true }));
  stack.use(upstream);
  stack.use(server);
  const hold = () => {
    isHeld = true;
  };
  return { server, gate, hold, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const questions = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => (message.type === "question" ? [message] : []));

async function ask(client: WireClient, id: string, more: object): Promise<ServerMessage[]> {
  client.send({ id, ...more });
  return client.untilTerminal(id);
}

for (const store of ["memory", "sqlite"] as const)
  test(`a second device gets what ran while it was away, in order and whole, then what runs, kept in ${store}`, async () => {
    await using system = await startWith(store);
    const client = await system.server.connect();
    const one = (message: string) => ({ type: "chat", data: { message, persona_id: "teacher" } });
    const [first] = await ask(client, "first", one("First?"));
    assert.ok(first?.type === "status" && first.conversation_id !== undefined);
    const { conversation_id } = first;
    const device = await system.server.connect();
    device.send({ type: "follow", data: { conversation_id } });
    const following = await device.next();
    assert.ok(following.type === "following" && following.last_request_id === "first");
    device.terminate();

    const second = await ask(client, "second", one("Second?"));
    const persona_ids = ["skeptic", "teacher"];
    const third = await ask(client, "third", {
      type: "multi_chat",
      data: { message: "Third?", persona_ids },
    });
    system.hold();
    client.send({ id: "running", ...one("Running?") });
    await client.next((message) => message.type === "status" && message.request_id === "running");

    const back = await system.server.connect();
    back.send({ type: "follow", data: { conversation_id, after: following.last_request_id } });
    assert.deepEqual(await back.next(), {
      ...{ type: "following", conversation_id, running: ["running"], last_request_id: "running" },
    });
    await back.next((message) => message.type === "question" && message.request_id === "running");
    system.gate.open();
    await back.untilTerminal("running");
    assert.deepEqual(
      questions(back.received).map(({ request_id, request_type, message, persona_ids }) => [
        ...[request_id, request_type, message, persona_ids],
      ]),
      [
        ["second", "chat", "Second?", ["teacher"]],
        ["third", "multi_chat", "Third?", persona_ids],
        ["running", "chat", "Running?", ["teacher"]],
      ],
    );
    const numbered = (messages: readonly ServerMessage[], id: string) =>
      messages.filter((message) => "seq" in message && message.request_id === id);
    assert.deepEqual(numbered(back.received, "second"), second);
    assert.deepEqual(numbered(back.received, "third"), third);
    assert.ok(!back.received.some((message) => "request_id" in message && message.request_id === "first"));
  });

test("after unfollow nothing of the conversation comes, not even the rest of what runs; own requests go on", async () => {
  await using system = await startWith("memory");
  const [client, device] = [await system.server.connect(), await system.server.connect()];
  const one = (id: string, conversation_id: string) => ({
    ...{ type: "chat", id, data: { message: "Well?", persona_id: "teacher", conversation_id } },
  });
  client.send(one("before", "new"));
  const [start] = await client.untilTerminal("before");
  assert.ok(start?.type === "status" && start.conversation_id !== undefined);
  const { conversation_id } = start;
  device.send({ type: "follow", data: { conversation_id } });
  await device.next(({ type }) => type === "following");
  system.hold();
  client.send(one("theirs", conversation_id));
  await device.next((message) => message.type === "status" && message.request_id === "theirs");
  device.send(one("own", conversation_id));
  await device.next((message) => message.type === "status" && message.request_id === "own");
  device.send({ type: "unfollow", id: "u", data: { conversation_id } });
  assert.deepEqual(await device.next(({ type }) => type === "unfollowed"), {
    type: "unfollowed",
    conversation_id,
    id: "u",
  });
  const heard = device.received.length;
  system.gate.open();
  await client.untilTerminal("theirs");
  await device.untilTerminal("own");
  client.send(one("later", conversation_id));
  await client.untilTerminal("later");
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  const after = device.received.slice(heard).filter((message) => "request_id" in message);
  assert.ok(
    after.length > 0 && after.every((message) => "request_id" in message && message.request_id === "own"),
  );
  // If it follows again, it also gets the turns that ran meanwhile.
  device.send({ type: "follow", data: { conversation_id, after: "before" } });
  await device.untilTerminal("later");
  assert.deepEqual(
    new Set(questions(device.received.slice(heard)).map(({ request_id }) => request_id)),
    new Set(["theirs", "own", "later"]),
  );
});
