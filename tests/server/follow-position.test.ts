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
  let failsNext = false;
  upstream.respond((_, index) => {
    const script = streamScript(answer({ text: `Answer ${index + 1}.` }));
    const isCut = failsNext;
    failsNext = false;
    if (isCut) return [...script.slice(0, -2), { reset: true }];
    return isHeld ? [{ waitFor: gate.opened }, ...script] : script;
  });
  const data = await mkdtemp(path.join(tmpdir(), "troupe-follow-"));
  const server = await startTroupe({ store, data, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(data, { recursive: true }));
  stack.use(upstream);
  stack.use(server);
  const hold = () => {
    isHeld = true;
  };
  const failNext = () => {
    failsNext = true;
  };
  return { server, gate, hold, failNext, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const questions = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => (message.type === "question" ? [message] : []));

async function ask(client: WireClient, id: string, more: object): Promise<ServerMessage[]> {
  client.send({ id, ...more });
  return client.untilTerminal(id);
}

for (const store of ["memory", "sqlite"] as const)
  test(`a second device gets the requests that it missed, whole and in order, then the running one, kept in ${store}`, async () => {
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

test("after unfollow nothing of the conversation comes, not even the rest of a running answer; own requests go on", async () => {
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

const one = (message: string) => ({ type: "chat", data: { message, persona_id: "teacher" } });

for (const store of ["memory", "sqlite"] as const) {
  test(`an empty position is the start of a conversation, kept in ${store}`, async () => {
    await using system = await startWith(store);
    const client = await system.server.connect();
    const [start] = await ask(client, "first", one("First?"));
    assert.ok(start?.type === "status" && start.conversation_id !== undefined);
    const { conversation_id } = start;
    await ask(client, "second", one("Second?"));
    const device = await system.server.connect();
    device.send({ type: "follow", data: { conversation_id, after: "" } });
    assert.deepEqual(await device.next(), {
      ...{ type: "following", conversation_id, running: [], last_request_id: "second" },
    });
    await device.untilTerminal("second");
    assert.deepEqual(
      questions(device.received).map(({ message }) => message),
      ["First?", "Second?"],
    );
  });

  test(`a device that saw a failure gets the retry that it missed, and the rest of a running answer, kept in ${store}`, async () => {
    await using system = await startWith(store);
    const client = await system.server.connect();
    system.failNext();
    const failed = await ask(client, "again", { ...one("Again?") });
    const [start] = failed;
    const error = failed.at(-1);
    assert.ok(start?.type === "status" && start.conversation_id !== undefined);
    assert.ok(error?.type === "error" && error.retryable && error.seq !== undefined);
    const { conversation_id } = start;
    const place = { conversation_id, after: "again", after_seq: error.seq };

    const early = await system.server.connect();
    early.send({ type: "follow", data: place });
    early.send({ type: "ping" });
    await early.next(({ type }) => type === "pong");
    assert.deepEqual(
      early.received.map(({ type }) => type),
      ["following", "pong"],
    );

    const { data } = one("Again?");
    client.send({ type: "chat", id: "again", data: { ...data, retry: error.seq } });
    await client.next((message) => message.type === "response");
    const second = await ask(client, "later", one("Later?"));
    const device = await system.server.connect();
    device.send({ type: "follow", data: place });
    await device.untilTerminal("later");
    const numbered = (id: string) =>
      device.received.filter((message) => "seq" in message && message.request_id === id);
    assert.deepEqual(
      numbered("again"),
      client.received.filter(
        (message) =>
          "seq" in message && message.request_id === "again" && Number(message.seq) > Number(error.seq),
      ),
    );
    assert.equal(numbered("again").at(-1)?.type, "response");
    assert.deepEqual(numbered("later"), second);
    assert.deepEqual(
      questions(device.received).map(({ message }) => message),
      ["Later?"],
    );

    system.hold();
    client.send({ id: "running", ...one("Running?") });
    const seen = await client.next(
      (message) =>
        message.type === "status" && message.request_id === "running" && message.status === "processing",
    );
    assert.ok("seq" in seen);
    const back = await system.server.connect();
    back.send({ type: "follow", data: { conversation_id, after: "running", after_seq: seen.seq } });
    await back.next(({ type }) => type === "following");
    back.send({ type: "ping" });
    await back.next(({ type }) => type === "pong");
    system.gate.open();
    const rest = await back.untilTerminal("running");
    assert.equal(rest[0] !== undefined && "seq" in rest[0] && rest[0].seq, Number(seen.seq) + 1);
    assert.deepEqual(questions(back.received), []);
  });
}

test("a place that is none is refused by its field", async () => {
  await using system = await startWith("memory");
  const client = await system.server.connect();
  const [start, ...rest] = await ask(client, "only", one("Only?"));
  assert.ok(start?.type === "status" && start.conversation_id !== undefined);
  const { conversation_id } = start;
  for (const [place, code, field] of [
    [{ after: "other" }, "request_not_found", "data.after"],
    [{ after: "only", after_seq: rest.length + 2 }, "seq_out_of_range", "data.after_seq"],
    [{ after_seq: 1 }, "invalid_message", "data.after_seq"],
    [{ after: "", after_seq: 1 }, "invalid_message", "data.after_seq"],
    [{ after: "only", after_seq: -1 }, "invalid_message", "data.after_seq"],
  ] as const) {
    client.send({ type: "follow", data: { conversation_id, ...place } });
    const refusal = await client.next(({ type }) => type === "error" || type === "following");
    assert.ok(refusal.type === "error", JSON.stringify(place));
    assert.deepEqual([refusal.code, refusal.field], [code, field]);
  }
});
