import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { createMemoryConversations } from "../../src/adapters/memory/memory-conversations.ts";
import type { Provider } from "../../src/ports/provider.ts";
import { createConversationDeletion } from "../../src/server/delete-conversation.ts";
import { failing } from "../adapters/sqlite/open-store.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

/** Occurs in every question and answer, and nowhere else. */
const canary = "zqxjkv";

const ask = (id: string | undefined, data: object = {}) => ({
  type: "chat",
  ...(id === undefined ? {} : { id }),
  data: { message: `${canary}?`, persona_id: "teacher", pacing: { mode: "raw" }, ...data },
});

/** A server whose provider stops in the middle of each answer and never goes on. */
async function startHanging(store: "memory" | "sqlite") {
  const stack = new AsyncDisposableStack();
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const script = streamScript(answer({ deltas: [`${canary} one `, `${canary} two`] }));
  upstream.respond([...script.slice(0, 7), { hang: true }]);
  const clock = { ...createTestClock({ instantMs: 1_000 }), newId: () => crypto.randomUUID() };
  const server = stack.use(
    await startTroupe({
      store,
      data: place.folder,
      clock,
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
    }),
  );
  return { server, upstream, clock, place, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const call = async (server: RunningTroupe, method: string, address: string) => {
  const response = await fetch(`${server.httpUrl}/api/${address}`, { method });
  return { status: response.status, text: await response.text() };
};

/** Settles when an address gives 404. */
async function gone(server: RunningTroupe, address: string): Promise<void> {
  for (let tries = 0; (await call(server, "GET", address)).status !== 404; tries += 1)
    assert.ok(tries < 10_000, `${address} stays`);
}

const conversationOf = async (server: RunningTroupe, requestId: string): Promise<string> =>
  JSON.parse((await call(server, "GET", `requests/${requestId}`)).text).conversation_id;

const firstChunk = (client: WireClient, id: string) =>
  client.next((message) => message.type === "chunk" && message.request_id === id);

/** Checks that the conversation and these requests cannot be read any more. */
async function assertGone(
  server: RunningTroupe,
  conversation: string,
  ids: readonly string[],
): Promise<void> {
  for (const address of [`conversations/${conversation}`, ...ids.map((id) => `requests/${id}`)])
    assert.equal((await call(server, "GET", address)).status, 404, address);
  assert.deepEqual(JSON.parse((await call(server, "GET", `conversations?q=${canary}`)).text), {
    matches: [],
  });
  const client = await server.connect();
  for (const request_id of ids) {
    client.send({ type: "resume", data: { request_id, after_seq: 0 } });
    const refused = await client.next();
    assert.ok(refused.type === "error" && refused.code === "request_not_found");
  }
  client.terminate();
  assert.equal(server.troupe.stats().turns, 0);
}

/** Number of rows in the database with any text of the conversation. */
function rowsIn(file: string): unknown {
  using database = openBeside(file, { readOnly: true });
  return database
    .prepare(`SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM messages)
      + (SELECT count(*) FROM journal WHERE entries LIKE '%${canary}%') AS n`)
    .get()?.n;
}

for (const store of ["memory", "sqlite"] as const) {
  describe(`a conversation that is deleted while requests run in it, kept in ${store}`, () => {
    it("deletes them too: their calls are closed, their followers are told, and nothing is left", async () => {
      await using system = await startHanging(store);
      const { server, upstream, place } = system;
      const client = await server.connect();
      client.send(ask("one", { conversation_id: "new" }));
      await firstChunk(client, "one");
      const conversation_id = await conversationOf(server, "one");
      const { persona_id: _, ...several } = { ...ask("").data, conversation_id };
      client.send({
        type: "multi_chat",
        id: "two",
        data: { ...several, persona_ids: ["teacher", "skeptic"] },
      });
      await upstream.received(3);
      const follower = await server.connect();
      follower.send({ type: "resume", data: { request_id: "one", after_seq: 0 } });
      await firstChunk(follower, "one");
      assert.equal((await call(server, "DELETE", `conversations/${conversation_id}`)).status, 204);
      for (const request of upstream.requests) await upstream.closed(request);
      for (const [reader, id] of [
        [client, "one"],
        [client, "two"],
        [follower, "one"],
      ] as const) {
        const end = (await reader.untilTerminal(id)).at(-1);
        assert.ok(end?.type === "response" && end.status === "cancelled");
      }
      await assertGone(server, conversation_id, ["one", "two"]);
      if (store === "sqlite") assert.equal(rowsIn(place.database), 0);
      assert.equal((await call(server, "DELETE", `conversations/${conversation_id}`)).status, 404);
      assert.equal(upstream.calls, 3);
    });

    it("happens once if it is asked for twice at the same time", async () => {
      await using system = await startHanging(store);
      const { server, place } = system;
      const client = await server.connect();
      client.send(ask("one", { conversation_id: "new" }));
      await firstChunk(client, "one");
      const conversation = await conversationOf(server, "one");
      const replies = await Promise.all(
        Array.from({ length: 4 }, () => call(server, "DELETE", `conversations/${conversation}`)),
      );
      const statuses = replies.map(({ status }) => status);
      assert.ok(statuses.includes(204) && statuses.every((status) => status === 204 || status === 404));
      await assertGone(server, conversation, ["one"]);
      if (store === "sqlite") assert.equal(rowsIn(place.database), 0);
    });

    it("is not found by the requests that wait after the running one", async () => {
      await using system = await startHanging(store);
      const { server, upstream } = system;
      const client = await server.connect();
      client.send(ask("named", { conversation_id: "new" }));
      await firstChunk(client, "named");
      const conversation_id = await conversationOf(server, "named");
      client.send(ask(undefined, { conversation_id }));
      await upstream.received(2);
      client.send(ask(undefined, { conversation_id }));
      client.send(ask(undefined, { message: "Mine." }));
      assert.equal((await call(server, "DELETE", `conversations/${conversation_id}`)).status, 204);
      const refused = await client.next((message) => message.type === "error");
      assert.ok(refused.type === "error" && refused.code === "conversation_not_found");
      assert.equal(refused.seq, undefined);
      // The socket's own conversation was deleted, so it starts another.
      const other = await client.next(
        (message) => message.type === "status" && message.request_id !== "named",
      );
      await upstream.received(3);
      assert.ok(other.type === "status");
      assert.equal(server.troupe.stats().turns, 1);
    });

    it("is not missed by a request that starts at the same moment", async () => {
      await using system = await startHanging(store);
      const { server, place } = system;
      const client = await server.connect();
      for (let count = 0; count < 20; count += 1) {
        const [before, during] = [`before-${count}`, `during-${count}`];
        client.send(ask(before, { conversation_id: "new" }));
        await firstChunk(client, before);
        const conversation_id = await conversationOf(server, before);
        const deleted = call(server, "DELETE", `conversations/${conversation_id}`);
        for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        client.send(ask(during, { conversation_id }));
        const end = await client.next(
          (message) =>
            (message.type === "error" && (message.in_reply_to?.id ?? message.request_id) === during) ||
            (message.type === "response" && message.request_id === during),
        );
        assert.ok(
          end.type === "response"
            ? end.status === "cancelled"
            : end.type === "error" && end.code === "conversation_not_found",
        );
        assert.equal((await deleted).status, 204);
        await assertGone(server, conversation_id, [before, during]);
      }
      if (store === "sqlite") assert.equal(rowsIn(place.database), 0);
    });

    it("leaves other conversations and their requests as they are", async () => {
      await using system = await startHanging(store);
      const { server } = system;
      const client = await server.connect();
      for (const id of ["one", "two"]) {
        client.send(ask(id, { conversation_id: "new" }));
        await firstChunk(client, id);
      }
      const [one, two] = [await conversationOf(server, "one"), await conversationOf(server, "two")];
      assert.equal((await call(server, "DELETE", `conversations/${one}`)).status, 204);
      assert.equal(server.troupe.stats().turns, 1);
      assert.equal((await call(server, "GET", `conversations/${two}`)).status, 200);
      assert.equal(await conversationOf(server, "two"), two);
    });
  });
}

/** A provider whose calls end only when the gate opens, even if they are aborted. */
function createSlowEnd() {
  const gate = createGate();
  const provider: Provider = {
    name: "slow",
    simulated: false,
    async *stream(_, { signal }) {
      yield [{ type: "text", text: canary }];
      await gate.opened;
      signal.throwIfAborted();
    },
  };
  return { gate, providers: { choose: (api: string) => ({ provider, api, model: "slow" }) } };
}

test("while its requests are ending no request finds the conversation any more", async () => {
  const { gate, providers } = createSlowEnd();
  const clock = { ...createTestClock({ instantMs: 1_000 }), newId: () => crypto.randomUUID() };
  await using server = await startTroupe({ clock, providers });
  const client = await server.connect();
  client.send(ask("one", { conversation_id: "new" }));
  await firstChunk(client, "one");
  const conversation_id = await conversationOf(server, "one");
  const deleted = call(server, "DELETE", `conversations/${conversation_id}`);
  await gone(server, `conversations/${conversation_id}`);
  client.send(ask("two", { conversation_id }));
  const refused = await client.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "conversation_not_found");
  gate.open();
  assert.equal((await deleted).status, 204);
  await assertGone(server, conversation_id, ["one"]);
});

test("turns that do not end are not waited for without end; their data is deleted once they have ended", async () => {
  const clock = createTestClock();
  const conversations = createMemoryConversations({ clock, maxBytes: 1_000_000 });
  const ended = Promise.withResolvers<void>();
  const forgotten: string[] = [];
  const deleteConversation = createConversationDeletion({
    conversations,
    clock,
    turns: { endIn: () => ended.promise },
    logs: { forget: async (owner, id) => void forgotten.push(`${owner} ${id}`) },
    observer: failing,
  });
  const id = await conversations.create("ada");
  let answer: boolean | undefined;
  const deleted = deleteConversation("ada", id).then((removed) => {
    answer = removed;
  });
  await clock.advance(14_999);
  assert.deepEqual([answer, forgotten], [undefined, []]);
  await clock.advance(1);
  await deleted;
  assert.deepEqual([answer, forgotten], [true, [`ada ${id}`]]);
  ended.resolve();
  await clock.advance(0);
  assert.deepEqual(forgotten, [`ada ${id}`, `ada ${id}`]);
  assert.equal(clock.sleeping, 0);
});

test("if requests cannot be ended the deletion says so, forgets those that have, and a second one ends them", async () => {
  const clock = createTestClock();
  const conversations = createMemoryConversations({ clock, maxBytes: 1_000_000 });
  const forgotten: string[] = [];
  const failures = [new Error("no line")];
  const deleteConversation = createConversationDeletion({
    conversations,
    clock,
    turns: {
      async endIn() {
        const failure = failures.pop();
        if (failure !== undefined) throw failure;
      },
    },
    logs: { forget: async (_, conversation) => void forgotten.push(conversation) },
    observer: failing,
  });
  const id = await conversations.create("ada");
  await assert.rejects(deleteConversation("ada", id), /no line/);
  assert.deepEqual(forgotten, [id]);
  assert.equal(await deleteConversation("ada", id), false);
  assert.deepEqual(forgotten, [id, id]);
  assert.equal(clock.sleeping, 0);
});
