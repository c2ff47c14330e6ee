import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { createNumbers } from "../support/seen-numbers.ts";
import { startCluster } from "../support/start-cluster.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { isTerminal, isUnkept, type WireClient } from "../support/wire-client.ts";

const pacing = { mode: "raw" };
const asks = {
  openai_chat: { input_text: "Hi", pacing },
  chat: { message: "Hi", persona_id: "teacher", pacing },
  multi_chat: { message: "Hi", persona_ids: ["teacher", "skeptic"], pacing },
} as const;
type Kind = keyof typeof asks;
const kinds = Object.keys(asks) as Kind[];
const frameOf = (kind: Kind, retry?: number) => ({
  type: kind,
  id: "r",
  data: { ...asks[kind], ...(retry === undefined ? {} : { retry }) },
});
const script = streamScript(answer({ deltas: ["One ", "two ", "three ", "four ", "five ", "six."] }));

/** A data folder, a disk that can fill up, and a provider that stops in the middle until its gate opens. */
async function setUp() {
  const stack = new AsyncDisposableStack();
  const threads = stack.use(createMortalThreads());
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const gate = createGate();
  upstream.respond([...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)]);
  const clock: TestClock = Object.assign(createTestClock({ instantMs: 900 }), {
    newId: () => crypto.randomUUID(),
  });
  const options: TroupeOptions = {
    ...{ store: "sqlite", data: place.folder, clock },
    ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl },
  };
  return {
    ...{ threads, place, upstream, gate, clock, options },
    /** Makes room on the disk again, and waits until the server has noticed. */
    async mend({ httpUrl }: RunningTroupe) {
      threads.refuse(false);
      while ((await fetch(`${httpUrl}/readyz`)).status !== 200) await clock.advance(1_000);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Sends a frame and returns the messages up to an end or a refusal. */
async function send(client: WireClient, frame: object): Promise<ServerMessage[]> {
  const from = client.received.length;
  client.send(frame);
  for (;;) {
    const messages = client.received.slice(from);
    const end = messages.findIndex((message) => isTerminal(message) || message.type === "error");
    if (end >= 0) return messages.slice(0, end + 1);
    await client.next();
  }
}

const resume = { type: "resume", data: { request_id: "r", after_seq: 0 } };
const isChunk = ({ type }: ServerMessage) => type === "chunk";

/** The request's messages once its end is stored, which happens a moment after the disk has room. */
async function keptEnd(client: WireClient): Promise<ServerMessage[]> {
  for (;;) {
    const messages = await send(client, resume);
    const end = messages.at(-1);
    if (end === undefined || !isUnkept(end)) return messages;
  }
}

function checkUnkept(messages: readonly ServerMessage[], code: string): void {
  const end = messages.at(-1);
  assert.ok(end?.type === "error" && isUnkept(end), JSON.stringify(end));
  assert.deepEqual([end.code, end.retryable], [code, true]);
  assert.equal(messages.filter(isTerminal).length, 1);
}

function checkWhole(messages: readonly ServerMessage[], first = 1): void {
  assert.equal(messages.at(-1)?.type, "response");
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => first + index),
  );
}

describe("an end that cannot be stored has no number", () => {
  for (const kind of kinds) {
    it(`${kind}: the request that meets a full disk, and is sent again`, async () => {
      await using at = await setUp();
      at.gate.open();
      await using server = await startTroupe(at.options);
      const client = await server.connect();
      const numbers = createNumbers();
      at.threads.refuse(true);
      const [met, ...more] = await send(client, frameOf(kind));
      assert.ok(met?.type === "error" && met.seq === undefined && more.length === 0);
      assert.equal(met.code, "storage_unavailable");
      await at.mend(server);
      const again = await send(client, frameOf(kind));
      numbers.note(again);
      checkWhole(again);
    });

    it(`${kind}: a disk that becomes full in the middle, and a server that dies before it has room again`, async () => {
      await using at = await setUp();
      const numbers = createNumbers();
      {
        await using server = await startTroupe(at.options);
        const client = await server.connect();
        client.send(frameOf(kind));
        await client.next(isChunk);
        at.threads.refuse(true);
        at.gate.open();
        const messages = await client.untilTerminal("r");
        checkUnkept(messages, "storage_unavailable");
        numbers.note(messages);
        // A client that connects during the outage sees the same.
        const other = await server.connect();
        const resumed = await send(other, resume);
        assert.deepEqual(resumed.slice(1), messages);
        await at.threads.die();
      }
      at.threads.refuse(false);
      await using server = await startTroupe(at.options);
      const client = await server.connect();
      const kept = await send(client, resume);
      numbers.note(kept);
      const end = kept.at(-1);
      assert.ok(end?.type === "error" && end.code === "interrupted" && end.seq !== undefined);
      const again = await send(client, frameOf(kind, end.seq));
      numbers.note(again);
      checkWhole(again, end.seq + 1);
    });

    it(`${kind}: a disk that has room again while its server runs`, async () => {
      await using at = await setUp();
      await using server = await startTroupe(at.options);
      const client = await server.connect();
      const numbers = createNumbers();
      client.send(frameOf(kind));
      await client.next(isChunk);
      at.threads.refuse(true);
      at.gate.open();
      const messages = await client.untilTerminal("r");
      numbers.note(messages);
      await at.mend(server);
      const kept = await keptEnd(client);
      numbers.note(kept);
      const end = kept.at(-1);
      assert.ok(end?.type === "error" && end.code === "storage_unavailable" && end.seq !== undefined);
      const again = await send(client, frameOf(kind, end.seq));
      numbers.note(again);
      checkWhole(again, end.seq + 1);
    });

    it(`${kind}: a retry that meets a full disk leaves the previous end in its place`, async () => {
      await using at = await setUp();
      at.upstream.respond([...script.slice(0, 7), { reset: true }]);
      await using server = await startTroupe(at.options);
      const client = await server.connect();
      const numbers = createNumbers();
      const first = await send(client, frameOf(kind));
      numbers.note(first);
      at.upstream.respond(script);
      const error = first.length;
      // Its end is in the database, and not only in memory.
      await at.clock.advance(61_000);
      at.threads.refuse(true);
      const [met, ...more] = await send(client, frameOf(kind, error));
      assert.ok(met?.type === "error" && met.seq === undefined && more.length === 0);
      assert.equal(met.code, "storage_unavailable");
      await at.mend(server);
      const kept = await send(client, resume);
      numbers.note(kept);
      assert.deepEqual(kept.slice(1), first);
      const again = await send(client, frameOf(kind, error));
      numbers.note(again);
      checkWhole(again, error + 1);
    });

    it(`${kind}: a journal that takes nothing for a reason of its own`, async () => {
      await using at = await setUp();
      await using server = await startTroupe(at.options);
      const client = await server.connect();
      const numbers = createNumbers();
      client.send(frameOf(kind));
      await client.next(isChunk);
      const database = openBeside(at.place.database);
      database.exec("ALTER TABLE journal RENAME TO elsewhere");
      at.gate.open();
      const messages = await client.untilTerminal("r");
      checkUnkept(messages, "internal_error");
      numbers.note(messages);
      database.exec("ALTER TABLE elsewhere RENAME TO journal");
      database.close();
      numbers.note(await send(client, resume));
    });

    it(`${kind}: a worker whose first process cannot keep anything`, async () => {
      await using at = await setUp();
      const { clock, openaiApiKey, openaiBaseUrl } = at.options;
      const options = { openaiApiKey, openaiBaseUrl, ...(clock === undefined ? {} : { clock }) };
      await using cluster = await startCluster(2, options as TroupeOptions, { onFault: () => undefined });
      const [first, second] = cluster.servers;
      assert.ok(first !== undefined && second !== undefined);
      const client = await first.connect();
      const numbers = createNumbers();
      client.send(frameOf(kind));
      await client.next(isChunk);
      at.threads.refuse(true);
      at.gate.open();
      const messages = await client.untilTerminal("r");
      checkUnkept(messages, "storage_unavailable");
      numbers.note(messages);
      // A follower in another process and a client that returns to this one get the same messages.
      for (const server of [second, first]) {
        const resumed = await send(await server.connect(), resume);
        assert.deepEqual(resumed.slice(1), messages);
      }
      at.threads.refuse(false);
      while (cluster.store.fault !== undefined) await cluster.storeClock.advance(1_000);
      const kept = await keptEnd(await second.connect());
      numbers.note(kept);
      const end = kept.at(-1);
      assert.ok(end?.type === "error" && end.code === "storage_unavailable" && end.seq !== undefined);
      const again = await send(await second.connect(), frameOf(kind, end.seq));
      numbers.note(again);
      checkWhole(again, end.seq + 1);
    });
  }
});
