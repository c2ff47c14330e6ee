import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { test } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal } from "../support/wire-client.ts";
import { createDataFolder } from "./data-folder.ts";
import { createMortalThreads } from "./mortal-threads.ts";

const chat = (id: string) => ({
  type: "chat",
  id,
  data: { message: "Hi", persona_id: "teacher", pacing: { mode: "raw" } },
});

/** A provider that stops after some text until the gate opens, and the settings of a server that asks it. */
async function setUp(data: string) {
  const gate = createGate();
  const upstream = await createUpstreamDouble();
  const script = streamScript(answer({ deltas: ["Half ", "an ", "answer, ", "then ", "the ", "rest."] }));
  upstream.respond([...script.slice(0, 7), { waitFor: gate.opened }, ...script.slice(7)]);
  const options: TroupeOptions = {
    store: "sqlite",
    data,
    clock: createTestClock({ instantMs: 1_000 }),
    openaiApiKey: "k",
    openaiBaseUrl: upstream.baseUrl,
  };
  return { gate, options, [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose]() };
}

test("when the store's thread dies, followers are told, new requests are refused, data in memory is served, and it can be closed", async () => {
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  await using set = await setUp(place.folder);
  {
    await using server = await startTroupe(set.options);
    const client = await server.connect();
    client.send(chat("cut"));
    await client.next((message) => message.type === "chunk");
    await threads.die();
    set.gate.open();
    const messages = await client.untilTerminal("cut");
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "storage_unavailable" && end.retryable);
    // It is not stored, so it has no number.
    assert.equal(end.seq, undefined);
    client.send(chat("new"));
    const refusal = await client.next(
      (message) => message.type === "error" && message.in_reply_to?.id === "new",
    );
    assert.ok(refusal.type === "error" && refusal.code === "storage_unavailable");
    const other = await server.connect();
    other.send({ type: "resume", data: { request_id: "cut", after_seq: 0 } });
    assert.deepEqual((await other.untilTerminal("cut")).slice(1), messages);
    assert.equal(server.troupe.stats().turns, 0);
  }
  await using server = await startTroupe(set.options);
  const client = await server.connect();
  client.send(chat("cut"));
  const end = (await client.untilTerminal("cut")).at(-1);
  assert.ok(end?.type === "error" && end.code === "interrupted" && end.seq !== undefined);
});

test("when a commit fails, its turns end once for their followers, and later ones are stored again", async () => {
  await using place = await createDataFolder();
  await using set = await setUp(place.folder);
  let seen: unknown[] = [];
  {
    await using server = await startTroupe(set.options);
    const client = await server.connect();
    client.send(chat("unlucky"));
    await client.next((message) => message.type === "chunk");
    const database = openBeside(place.database);
    database.exec("ALTER TABLE journal RENAME TO elsewhere");
    set.gate.open();
    const messages = await client.untilTerminal("unlucky");
    seen = messages.slice(0, -1);
    const end = messages.at(-1);
    assert.ok(end?.type === "error" && end.code === "internal_error" && end.seq === undefined);
    database.exec("ALTER TABLE elsewhere RENAME TO journal");
    database.close();
    client.send(chat("lucky"));
    assert.equal((await client.untilTerminal("lucky")).at(-1)?.type, "response");
  }
  await using server = await startTroupe(set.options);
  const client = await server.connect();
  for (const [id, end] of [
    ["unlucky", "error"],
    ["lucky", "response"],
  ] as const) {
    client.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
    const replayed = (await client.untilTerminal(id)).slice(1);
    if (id === "unlucky") assert.deepEqual(replayed.slice(0, seen.length), seen);
    assert.equal(replayed.at(-1)?.type, end);
    assert.equal(replayed.filter(isTerminal).length, 1);
  }
});

test("a second server on the same data is refused and leaves the turns of the first alone", async () => {
  await using place = await createDataFolder();
  await using set = await setUp(place.folder);
  await using server = await startTroupe(set.options);
  const client = await server.connect();
  client.send(chat("mine"));
  await client.next((message) => message.type === "chunk");
  await assert.rejects(createTroupe(set.options), /troupe\.db is in use by another Troupe/);
  set.gate.open();
  assert.equal((await client.untilTerminal("mine")).at(-1)?.type, "response");
});

test("a server that cannot start leaves no thread running that would keep its process alive", async () => {
  using threads = createMortalThreads();
  for (const broken of ["pages", "settings"]) {
    await using place = await createDataFolder();
    await using set = await setUp(place.folder);
    {
      await using server = await startTroupe(set.options);
      const client = await server.connect();
      client.send(chat("left"));
      await client.next((message) => message.type === "chunk");
      await threads.die();
    }
    if (broken === "pages") {
      // A write-ahead log beside the file would hide the damage, so its content is moved into the file.
      using whole = openBeside(place.database);
      whole.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      await using file = await open(place.database, "r+");
      await file.write(Buffer.alloc(24 * 4_096, 0xff), 0, 24 * 4_096, 4_096);
    }
    // These settings are refused only after the stores have been opened.
    const settings = broken === "settings" ? { allowAnonymous: true, foreignVendorIds: true } : {};
    await assert.rejects(createTroupe({ ...set.options, ...settings }));
    assert.equal(threads.alive, 0, broken);
  }
});
