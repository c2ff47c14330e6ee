import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "../../../src/adapters/sqlite/migrations.ts";
import { createSqliteStore, type SqliteStore } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteUsage } from "../../../src/adapters/sqlite/sqlite-usage.ts";
import type { UsageStore } from "../../../src/ports/usage-store.ts";
import { callOf, describeUsageStore, paid, used } from "../../ports/usage-store-contract.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { dataFolder, openStore } from "./open-store.ts";

describeUsageStore("sqlite", async () => {
  const { store, [Symbol.asyncDispose]: dispose } = await openStore();
  return { store: createSqliteUsage({ store, keepDays: 200 }), [Symbol.asyncDispose]: dispose };
});

/** Opens the usage in a file, by default in a new one. */
async function openUsage(existing?: string) {
  const place = existing === undefined ? await dataFolder() : undefined;
  const file = existing ?? place?.file ?? "";
  const clock = createTestClock({ instantMs: 1_000 });
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer: {} });
  const usage = createSqliteUsage({ store, keepDays: 10 });
  const database = openBeside(file);
  return {
    store,
    usage,
    database,
    /** The rows of single calls, read after all earlier writes. */
    async rows(): Promise<Record<string, unknown>[]> {
      await usage.sums("nobody", 0, 0);
      return database.prepare("SELECT * FROM usage ORDER BY number").all();
    },
    async [Symbol.asyncDispose]() {
      database.close();
      await store[Symbol.asyncDispose]();
      await place?.[Symbol.asyncDispose]();
    },
  };
}

function finish(usage: UsageStore, day: number, tokens: number): void {
  const call = callOf({ day });
  usage.begin(call);
  usage.end(call.id, { ...used(tokens, tokens), outcome: "completed", day });
}

test("a row holds the caller, the model, the time, the usage and the end of a call", async () => {
  await using place = await openUsage();
  const call = callOf({ lane: "teacher", call: 2, keyId: "key-7" });
  place.usage.begin(call);
  place.usage.end(call.id, { ...used(12, 30, true), outcome: "budget", day: 100 });
  const [{ number: _, ...row } = {}] = await place.rows();
  assert.deepEqual(
    { ...row },
    {
      id: call.id,
      owner: "ada",
      key_id: "key-7",
      request_id: "r",
      lane: "teacher",
      call: 2,
      api: "openai",
      model: "m",
      day: 100,
      at_ms: 8_640_000_000,
      input_tokens: 12,
      output_tokens: 30,
      total_tokens: 42,
      estimated: 1,
      outcome: "budget",
      cost_usd: null,
      cost_approximate: 0,
      conversation_id: null,
    },
  );
});

test("calls left open end as interrupted, with the reserved amounts, and others stay as they are", async () => {
  await using place = await openUsage();
  const [first, second, third] = [callOf(), callOf({ lane: "a" }), callOf()];
  for (const call of [first, second, third]) place.usage.begin(call);
  place.usage.extend(second.id, second.inputTokens, 1_024);
  place.usage.end(third.id, { ...used(1, 1), outcome: "completed", day: 100 });
  const next = createSqliteUsage({ store: place.store, keepDays: 10 });
  await next.takeUp(100);
  assert.deepEqual(
    (await place.rows()).map(({ outcome, output_tokens, estimated }) => [outcome, output_tokens, estimated]),
    [
      ["interrupted", 256, 1],
      ["interrupted", 1_024, 1],
      ["completed", 1, 0],
    ],
  );
});

test("old calls are folded into daily sums while new ones arrive, and no token is lost", async () => {
  await using place = await openUsage();
  for (let count = 0; count < 200; count += 1) finish(place.usage, 100 + (count % 2), 1);
  const running = callOf({ day: 100 });
  place.usage.begin(running);
  assert.equal((await place.rows()).length, 201);
  for (let count = 0; count < 30; count += 1) finish(place.usage, 120, 1);
  const rows = await place.rows();
  assert.equal(rows.length, 31);
  assert.equal(rows.filter(({ outcome }) => outcome === null).length, 1);
  place.usage.end(running.id, { ...used(0, 0), outcome: "failed", day: 100 });
  const sums = await place.usage.sums("ada", 0, 1_000);
  assert.deepEqual(
    sums.map(({ day, calls, inputTokens }) => [day, calls, inputTokens]),
    [
      [100, 101, 100],
      [101, 100, 100],
      [120, 30, 30],
    ],
  );
  assert.deepEqual((await place.usage.takeUp(101)).spent, [
    { keyId: "key-1", api: "openai", model: "m", inputTokens: 100 + 30, outputTokens: 100 + 30 },
  ]);
});

test("the costs of old calls are added up, and a day is taken up with the recorded costs", async () => {
  await using place = await openUsage();
  const ends = [
    [100, "paid", paid(0.5)],
    [100, "paid", paid(0.25, { approximate: true })],
    [100, "partly", paid(0.5)],
    [100, "partly", used(1, 2)],
    [120, "paid", paid(1)],
    [120, "paid", used(5, 4)],
  ] as const;
  for (const [day, model, end] of ends) {
    const call = callOf({ day, model });
    place.usage.begin(call);
    place.usage.end(call.id, { ...end, outcome: "completed", day });
  }
  assert.equal((await place.rows()).length, 2);
  const sums = await place.usage.sums("ada", 0, 1_000);
  assert.deepEqual(
    sums.map(({ day, model, cost }) => [day, model, cost]),
    [
      [100, "paid", { usd: 0.75, approximate: true, unknownCalls: 0 }],
      [100, "partly", { usd: 0.5, approximate: false, unknownCalls: 1 }],
      [120, "paid", { usd: 1, approximate: false, unknownCalls: 1 }],
    ],
  );
  const spentOn = async (day: number) =>
    (await place.usage.takeUp(day)).spent
      .map(({ model, inputTokens, cost }) => [model, inputTokens, cost])
      .toSorted();
  assert.deepEqual(await spentOn(120), [
    ["paid", 1, 1],
    ["paid", 5, undefined],
  ]);
  // Of a sum that has calls without a cost, the tokens are counted by their price.
  assert.deepEqual(await spentOn(100), [
    ["paid", 2 + 1, 0.75 + 1],
    ["paid", 5, undefined],
    ["partly", 2, undefined],
  ]);
});

test("calls that a fast clock dated too late are counted with today's", async () => {
  await using place = await openUsage();
  finish(place.usage, 99, 1);
  finish(place.usage, 100, 10);
  finish(place.usage, 4_000, 100);
  assert.deepEqual((await place.usage.takeUp(100)).spent, [
    { keyId: "key-1", api: "openai", model: "m", inputTokens: 110, outputTokens: 110 },
  ]);
  assert.deepEqual((await place.usage.takeUp(101)).spent, []);
});

test("a call that another process started stays one row, even if it seemed over there; the answer before it is another", async () => {
  await using place = await openUsage();
  const first = callOf();
  place.usage.begin(first);
  place.usage.end(first.id, { ...used(10, 256, true), outcome: "interrupted", day: 100 });
  const second = callOf();
  place.usage.begin(second);
  place.usage.end(second.id, { ...used(10, 20), outcome: "completed", day: 100 });
  place.usage.begin(callOf({ id: "elsewhere", lane: "teacher" }));
  place.usage.begin(callOf({ id: "again", isBegun: true }));
  assert.deepEqual(
    (await place.rows()).map(({ id }) => id),
    [first.id, "elsewhere", "again"],
  );
});

test("a call that is resumed replaces only the same call of its lane", async () => {
  await using place = await openUsage();
  for (const call of [0, 1, 2]) place.usage.begin(callOf({ id: `first-${call}`, call }));
  place.usage.begin(callOf({ id: "again", call: 1, isBegun: true }));
  assert.deepEqual(
    (await place.rows()).map(({ id, call }) => [id, call]),
    [
      ["first-0", 0],
      ["first-2", 2],
      ["again", 1],
    ],
  );
  assert.deepEqual(
    (await place.usage.takeUp(100)).left.map(({ call }) => call),
    [0, 2, 1],
  );
});

test("a row of an earlier version is its lane's first call", async () => {
  await using folder = await dataFolder();
  const earlier = openBeside(folder.file);
  migrate(earlier, 9);
  earlier.exec(`INSERT INTO usage (id, owner, key_id, request_id, api, model, day, at_ms, input_tokens, output_tokens, estimated)
    VALUES ('old', 'ada', 'key-1', 'r', 'openai', 'm', 100, 1, 10, 256, 1)`);
  earlier.close();
  await using place = await openUsage(folder.file);
  const { spent, left } = await place.usage.takeUp(100);
  assert.deepEqual(
    [...spent, ...left].map(({ cost }) => cost),
    [undefined, undefined],
  );
  assert.deepEqual(
    left.map(({ call }) => call),
    [0],
  );
  const [sum] = await place.usage.sums("ada", 100, 100);
  assert.deepEqual(sum?.cost, { approximate: false, unknownCalls: 1 });
  place.usage.begin(callOf({ id: "again", isBegun: true }));
  assert.deepEqual(
    (await place.rows()).map(({ id, call }) => [id, call]),
    [["again", 0]],
  );
});

test("a completed call may be resumed while its turn runs", async () => {
  await using place = await openUsage();
  const turn = `INSERT INTO turns (owner, id, content_hash, created_at_ms, first_beat, ended_at_ms)`;
  place.database.exec(`${turn} VALUES ('ada', 'running', 'hash', 1, 1, NULL), ('ada', 'ended', 'hash', 1, 1, 2),
    ('bob', 'ended', 'hash', 1, 1, NULL)`);
  for (const requestId of ["running", "ended"]) {
    const call = callOf({ requestId });
    place.usage.begin(call);
    place.usage.end(call.id, { ...used(3, 4), outcome: "completed", day: 100 });
  }
  const { left } = await place.usage.takeUp(100);
  assert.deepEqual(left, [
    {
      ...{ owner: "ada", requestId: "running", call: 0, keyId: "key-1", api: "openai", model: "m" },
      ...{ inputTokens: 3, outputTokens: 4 },
    },
  ]);
});

test("20,000 writes wait for the storage at a time, and every one gives its place back", async () => {
  let waiting = 0;
  let refused = 0;
  let outage = Promise.withResolvers<void>();
  const store = {
    read: async () => [],
    async write() {
      refused += 1;
    },
    async writeInTheEnd() {
      waiting += 1;
      await outage.promise;
      waiting -= 1;
    },
  } as unknown as SqliteStore;
  const usage = createSqliteUsage({ store, keepDays: 10 });
  outage.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  outage = Promise.withResolvers();
  for (let round = 0; round < 2; round += 1) {
    for (let count = 0; count < 20_001; count += 1)
      usage.end("call", { ...used(1, 1), outcome: "completed", day: 100 });
    assert.deepEqual([waiting, refused], [20_000, round + 1]);
    outage.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(waiting, 0);
    outage = Promise.withResolvers();
  }
});
