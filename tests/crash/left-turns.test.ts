import assert from "node:assert/strict";
import { test } from "node:test";
import { createSqliteStore, openServedTime } from "../../src/adapters/sqlite/sqlite-store.ts";
import { createSqliteTurnLogs } from "../../src/adapters/sqlite/sqlite-turn-logs.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import type { ResumableRequest } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { checkpoint, textOf } from "../ports/log-reading.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { openBeside } from "../support/open-beside.ts";
import { createTestClock } from "../support/test-clock.ts";
import { createDataFolder } from "./data-folder.ts";
import { createMortalThreads } from "./mortal-threads.ts";

const starting: TurnEvent = { type: "status", status: "starting", simulated: false };
const resumable: ResumableRequest = {
  caller: { owner: "owner", keyId: "key", limits: {} },
  request: {
    kind: "responses",
    input: [textMessage("user", "Hi")],
    includeReasoning: false,
    options: { background: true },
    pacing: { mode: "raw", chunkChars: 50, intervalMs: 100, maxLagMs: 400 },
  },
  whenUnwatched: "finish",
  whenInterrupted: "error",
};
const failed: TurnEvent = { type: "failure", error: new TroupeError("interrupted") };

async function openLogs(file: string, clock: Clock, maxBytes = 1_000_000) {
  const faults: unknown[] = [];
  const store = await createSqliteStore({
    ...{ clock, file, synchronous: "NORMAL" },
    observer: { faulted: ({ error }) => void faults.push(error) },
  });
  const logs = await createSqliteTurnLogs({
    store,
    clock,
    served: await openServedTime(store, clock),
    retentionMs: 24 * 3_600_000,
    answerRetentionMs: 0,
    maxBytes,
  });
  return {
    logs,
    faults,
    async [Symbol.asyncDispose]() {
      logs[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

test("every turn that was left running gets its end, however little memory there is", async () => {
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  {
    await using first = await openLogs(place.database, clock);
    for (let turn = 0; turn < 20; turn += 1) {
      const log = await created(first.logs, "owner", `left-${turn}`);
      await log.append([starting, textOf("x".repeat(500))]);
    }
    await threads.die();
  }
  await using second = await openLogs(place.database, clock, 2_000);
  const unfinished = await second.logs.unfinished();
  assert.equal(unfinished.length, 20);
  for (const { log } of unfinished) await log.append([failed]);
  for (let turn = 0; turn < 20; turn += 1) {
    const found = await second.logs.find("owner", `left-${turn}`);
    assert.deepEqual([found?.log.ended, found?.log.headSeq], [true, 3]);
  }
});

test("a turn's checkpoints are restored with it, each after its events, until the turn has ended", async () => {
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  {
    await using first = await openLogs(place.database, clock);
    const answer = await first.logs.create(recordOf("owner", "left"), { request: resumable });
    assert.ok(answer.type === "created");
    await answer.log.append([starting]);
    await answer.log.append([checkpoint]);
    await answer.log.append([textOf("a"), checkpoint]);
    assert.equal(answer.log.headSeq, 2);
    await threads.die();
  }
  const steps = [starting, checkpoint, textOf("a"), checkpoint];
  {
    await using second = await openLogs(place.database, clock);
    const [left] = await second.logs.unfinished();
    assert.deepEqual([left?.steps, left?.request, left?.log.headSeq], [steps, resumable, 2]);
    await left?.log.append([failed]);
  }
  await using third = await openLogs(place.database, clock);
  assert.deepEqual(await third.logs.unfinished(), []);
  using database = openBeside(place.database, { readOnly: true });
  assert.equal(database.prepare("SELECT request FROM turns").get()?.request, null);
});

test("a request and a part of the journal that cannot be read keep no other turn from being taken up", async () => {
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  {
    await using first = await openLogs(place.database, clock);
    for (const id of ["left", "gap", "whole"]) {
      const answer = await first.logs.create(recordOf("owner", id), { request: resumable });
      assert.ok(answer.type === "created");
      for (const text of ["a", "b", "c"]) await answer.log.append([{ type: "text", text, final: true }]);
    }
    await threads.die();
  }
  {
    using database = openBeside(place.database);
    database.exec("UPDATE turns SET request = '{' WHERE id = 'left'");
    // The second text of the second turn; each text was committed by itself.
    database.exec(
      "UPDATE journal SET entries = '[' WHERE beat = (SELECT beat FROM journal ORDER BY beat LIMIT 1 OFFSET 4)",
    );
  }
  await using second = await openLogs(place.database, clock);
  const unfinished = await second.logs.unfinished();
  assert.deepEqual(
    unfinished.map(({ record, request, log }) => [record.id, request !== undefined, log.headSeq]),
    [
      ["left", false, 3],
      // Its third number was given out before, so it is not given out again.
      ["gap", false, 3],
      ["whole", true, 3],
    ],
  );
  assert.deepEqual(second.faults.map(String), [
    "Error: turn 1 (left) cannot be read and ends as interrupted",
    "Error: beat 5 of the journal cannot be read",
    "Error: turn 2 (gap) cannot be read and ends as interrupted",
  ]);
});

test("the text of a turn before a crash is not pruned before its end is stored", async () => {
  using threads = createMortalThreads();
  await using place = await createDataFolder();
  const clock = createTestClock({ instantMs: 1_000 });
  {
    await using first = await openLogs(place.database, clock);
    const log = await created(first.logs, "owner", "left");
    await log.append([starting]);
    await log.append([textOf("said before")]);
    await threads.die();
  }
  {
    await using second = await openLogs(place.database, clock);
    await second.logs.unfinished();
    const busy = await created(second.logs, "owner", "busy");
    // More beats than there are between two prunings.
    for (let beat = 0; beat < 900; beat += 1) await busy.append([starting]);
    await threads.die();
  }
  await using third = await openLogs(place.database, clock);
  const unfinished = await third.logs.unfinished();
  const left = unfinished.find(({ record }) => record.id === "left");
  assert.deepEqual(left?.steps, [starting, textOf("said before")]);
  assert.equal(unfinished.find(({ record }) => record.id === "busy")?.steps.length, 900);
});

test("a turn whose end could not be stored does not break others when its id is used again", async () => {
  await using place = await createDataFolder();
  const clock = createTestClock();
  await using opened = await openLogs(place.database, clock);
  const { logs, faults } = opened;
  const first = await created(logs, "owner", "again");
  const other = await created(logs, "owner", "other");
  const database = openBeside(place.database);
  database.exec("CREATE TRIGGER stuck BEFORE UPDATE ON turns BEGIN SELECT RAISE (ABORT, 'stuck'); END");
  await first.append([failed]);
  await clock.advance(25);
  // Reads are done after earlier writes, so storing the end has been tried by now.
  await logs.find("owner", "nobody");
  assert.equal(faults.length, 1);
  database.exec("DROP TRIGGER stuck");
  database.close();
  await clock.advance(3_600_000);
  const again = created(logs, "owner", "again");
  const told = other.append([textOf("in the same commit")]);
  await Promise.all([again, told]);
  assert.equal(other.headSeq, 1);
});
