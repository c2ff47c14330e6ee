import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { createSqliteStore, openServedTime } from "../../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../../src/adapters/sqlite/sqlite-turn-logs.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { created } from "../../ports/turn-log-store-contract.ts";
import { openBeside } from "../../support/open-beside.ts";
import { createTestClock, type TestClock } from "../../support/test-clock.ts";
import { dataFolder, failing } from "./open-store.ts";

const hourMs = 3_600_000;

async function open(file: string, clock: Clock) {
  const store = await createSqliteStore({ clock, file, synchronous: "NORMAL", observer: failing });
  const retention = { retentionMs: hourMs, answerRetentionMs: 10 * hourMs };
  const served = await openServedTime(store, clock);
  const logs = await createSqliteTurnLogs({
    store,
    clock,
    served,
    ...retention,
    maxBytes: 1_000_000,
  });
  return {
    logs,
    async [Symbol.asyncDispose]() {
      logs[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function rowsOf(file: string, sql: string): Record<string, unknown>[] {
  const database = openBeside(file, { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** Lets `ms` pass. Settles when all work that came due by then is done. */
async function pass(clock: TestClock, ms: number): Promise<void> {
  for (const step of [ms - 60_000, 60_000]) {
    await clock.advance(step);
    // Two loops sleep again once their due work is done: the one for the rows and the one for the files.
    while (clock.sleeping < 2) await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a row keeps the texts for `reset` and the end, for every kind of end", async () => {
  await using place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  await using opened = await open(place.file, clock);
  const { logs } = opened;
  const failure = { type: "failure", error: new TroupeError("interrupted", { retryAfterMs: 7 }) } as const;
  for (const [id, end] of [
    ["answered", terminal],
    ["failed", failure],
  ] as const) {
    const log = await created(logs, "owner", id);
    await log.append([textOf("Hel", "ada"), textOf("Wor", "bob"), { type: "reasoning", text: "hm" }]);
    await log.append([textOf("lo", "ada"), textOf("ld", "bob"), end]);
  }
  const silent = await created(logs, "owner", "silent");
  await silent.append([failure]);
  await pass(clock, hourMs + 60_000);
  assert.deepEqual(rowsOf(place.file, "SELECT 1 FROM turns WHERE log IS NOT NULL"), []);
  for (const [id, end] of [
    ["answered", terminal],
    ["failed", failure],
  ] as const) {
    const found = await logs.find("owner", id);
    assert.ok(found !== undefined);
    const follower = followed(found.log, 2);
    await follower.ended;
    assert.deepEqual(follower.batches, [
      {
        type: "trimmed",
        throughSeq: 5,
        lanes: [
          { lane: "ada", text: "Hello" },
          { lane: "bob", text: "World" },
        ],
      },
      { type: "events", events: [{ seq: 6, event: end }] },
    ]);
    assert.deepEqual((await logs.create(found.record)).type, "exists");
  }
  const said = followed((await logs.find("owner", "silent"))?.log ?? silent, 0);
  await said.ended;
  assert.equal(said.read(), "1:failure");
  await pass(clock, 9 * hourMs);
  assert.equal(await logs.find("owner", "answered"), undefined);
  assert.deepEqual(rowsOf(place.file, "SELECT 1 FROM turns"), []);
});

test("a number is given once, though its row is gone and the process another", async () => {
  await using place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  {
    await using opened = await open(place.file, clock);
    for (const id of ["a", "b"]) await (await created(opened.logs, "owner", id)).append([terminal]);
    await pass(clock, 11 * hourMs);
    assert.deepEqual(rowsOf(place.file, "SELECT 1 FROM turns"), []);
  }
  await using opened = await open(place.file, clock);
  const log = await created(opened.logs, "owner", "c");
  await log.append([textOf("new")]);
  assert.deepEqual(
    rowsOf(place.file, "SELECT number, id FROM turns").map((row) => ({ ...row })),
    [{ number: 3, id: "c" }],
  );
});

for (const jumpMs of [hourMs, -hourMs, 87_600 * hourMs, -87_600 * hourMs]) {
  test(`a wall clock set by ${jumpMs / hourMs} h takes nothing early and keeps nothing longer`, async () => {
    await using place = await dataFolder();
    const real = createTestClock({ instantMs: 1_000 });
    let offsetMs = 0;
    const clock: Clock = { ...real, wallTimeMs: () => real.wallTimeMs() + offsetMs };
    {
      await using opened = await open(place.file, clock);
      await (await created(opened.logs, "owner", "before")).append([textOf("kept"), terminal]);
      offsetMs = jumpMs;
      await (await created(opened.logs, "owner", "after")).append([textOf("kept"), terminal]);
      await pass(real, hourMs / 2);
    }
    // Also while no server runs.
    offsetMs *= 2;
    await using opened = await open(place.file, clock);
    const heads = async () => {
      const found = await Promise.all(["before", "after"].map((id) => opened.logs.find("owner", id)));
      const followers = found.map((kept) => (kept === undefined ? undefined : followed(kept.log, 0)));
      await Promise.all(followers.map((follower) => follower?.ended));
      return followers.map((follower) => follower?.read());
    };
    await pass(real, hourMs / 4);
    assert.deepEqual(await heads(), ["1:kept 2:answer", "1:kept 2:answer"]);
    await pass(real, hourMs / 2);
    assert.deepEqual(await heads(), ["trimmed-1 2:answer", "trimmed-1 2:answer"]);
    await pass(real, 9 * hourMs);
    assert.deepEqual(await heads(), [undefined, undefined]);
  });
}

test("the file stops growing when deletions keep up, and shrinks when less space is needed", async () => {
  await using place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  await using opened = await open(place.file, clock);
  const text = textOf("x".repeat(10_000));
  /** The size of the database and its write-ahead log. */
  async function size(): Promise<number> {
    const files = await Promise.all([stat(place.file), stat(`${place.file}-wal`)]);
    return files.reduce((sum, file) => sum + file.size, 0);
  }
  async function endTurns(name: string, megabytes: number): Promise<void> {
    for (let turn = 0; turn < 10 * megabytes; turn += 1) {
      const log = await created(opened.logs, "owner", `${name}-${turn}`);
      await log.append([...Array.from({ length: 10 }, () => text), terminal]);
    }
  }
  await endTurns("many", 30);
  const large = await size();
  const sizes: number[] = [];
  for (let day = 0; day < 6; day += 1) {
    await pass(clock, 12 * hourMs);
    await endTurns(`day-${day}`, 4);
    sizes.push(await size());
  }
  const [first = 0, second = 0, ...others] = sizes;
  assert.ok(large > 30_000_000 && first < large / 2, `${large}, then ${sizes}`);
  // A quarter of the file may be free before the file is shrunk.
  for (const later of others) assert.ok(later <= (4 / 3) * Math.max(first, second), `${sizes}`);
});

test("a small file keeps its free pages, because they will soon be needed again", async () => {
  await using place = await dataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  await using opened = await open(place.file, clock);
  const log = await created(opened.logs, "owner", "id");
  await log.append([...Array.from({ length: 200 }, () => textOf("x".repeat(10_000))), terminal]);
  await pass(clock, 11 * hourMs);
  const [row] = rowsOf(
    place.file,
    "SELECT page_count AS pages, freelist_count AS free FROM pragma_page_count, pragma_freelist_count",
  );
  const [pages, free] = [Number(row?.pages), Number(row?.free)];
  assert.ok(free > pages / 4 && free < 1_024, `${free} of ${pages} pages are free`);
});
