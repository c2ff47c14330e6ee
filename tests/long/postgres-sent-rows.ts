import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { SentRow } from "../../src/adapters/postgres/nodes/messages.ts";
import { encodeStored } from "../../src/ports/stored-turn.ts";
import { storedVersion } from "../../src/ports/stored-version.ts";
import type { TurnEvent } from "../../src/ports/turn-event.ts";
import { checkpoint, followed, terminal, textOf } from "../ports/log-reading.ts";
import { created, recordOf } from "../ports/turn-log-store-contract.ts";
import { createTestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { createNotes } from "./postgres/noted-faults.ts";
import { openLogs, runOn, stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";

/** A turn at one node, and a follower at another one, where no time passes: it only reads when a message comes. */
async function openFollowed() {
  await using opening = new AsyncDisposableStack();
  const first = opening.use(await openLogs());
  const notes = createNotes();
  const second = opening.use(
    await openLogs({ url: first.url, observer: notes.observer, clock: createTestClock() }),
  );
  const log = await created(first.logs, "owner", "id");
  const sent: SentRow[] = [];
  const turn = first.logs.ownNumber(recordOf("owner", "id")) ?? 0;
  first.logs.told.onHead = (number, head, { firstSeq, steps }) =>
    sent.push([number, firstSeq, head, storedVersion, steps]);
  await log.append([textOf("a")]);
  const kept = await second.logs.find("owner", "id");
  assert.ok(kept !== undefined);
  const follower = followed(kept.log, 0);
  await until(() => follower.read() === "1:a");
  const opened = opening.move();
  return {
    ...{ first, second, log, sent, turn, follower, notes },
    /** Gives the follower's node a row that the other node sent. */
    bring: (place: number) => {
      const row = sent[place];
      assert.ok(row !== undefined);
      second.logs.noteRow(row);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

describe("rows that come with a message", withPostgres, () => {
  after(stopShared);

  it("reach the followers without a read, and again by a read if one was lost", async () => {
    await using at = await openFollowed();
    await at.log.append([textOf("b"), checkpoint]);
    await runOn(at.first.url, "DELETE FROM events");
    at.bring(1);
    await until(() => at.follower.read() === "1:a 2:b");
    await at.log.append([textOf("c")]);
    await at.log.append([textOf("d")]);
    at.bring(3);
    await until(() => at.follower.read() === "1:a 2:b 3:c 4:d");
    await at.log.append([terminal]);
    at.bring(4);
    await at.follower.ended;
    assert.equal(at.follower.read(), "1:a 2:b 3:c 4:d 5:answer");
    assert.deepEqual(at.notes.faults, []);
  });

  it("are given once, however often and in whichever order they come", async () => {
    await using at = await openFollowed();
    for (const text of ["b", "c", "d", "e"]) await at.log.append([textOf(text)]);
    for (const place of [2, 1, 1, 4, 2, 3, 0, 4]) at.bring(place);
    await until(() => at.follower.read().endsWith("5:e"));
    await at.log.append([terminal]);
    for (const place of [1, 5, 5]) at.bring(place);
    await at.follower.ended;
    assert.equal(at.follower.read(), "1:a 2:b 3:c 4:d 5:e 6:answer");
  });

  it("are given once if a read brings them at the same moment", async () => {
    await using at = await openFollowed();
    for (let seq = 2; seq <= 60; seq += 1) {
      await at.log.append([textOf("x")]);
      // The read has begun when the row comes.
      at.second.logs.noteHead(at.turn, seq);
      for (let turns = 0; turns < seq % 5; turns += 1) await new Promise(setImmediate);
      at.bring(seq - 1);
      await until(() => at.follower.read().endsWith(`${seq}:x`));
    }
    await at.log.append([terminal]);
    at.bring(60);
    await at.follower.ended;
    const texts = Array.from({ length: 59 }, (_, index) => `${index + 2}:x`);
    assert.equal(at.follower.read(), ["1:a", ...texts, "61:answer"].join(" "));
  });

  it("are read from the database if they are unreadable, of another version, or have other numbers", async () => {
    await using at = await openFollowed();
    const other: readonly TurnEvent[] = [textOf("foreign"), textOf("foreign")];
    const wrong: readonly ((head: number) => SentRow)[] = [
      (head) => [at.turn, head, head, storedVersion, "["],
      (head) => [at.turn, head, head, storedVersion, '[{"type":"text"}]'],
      (head) => [at.turn, head, head, storedVersion + 1, encodeStored([textOf("foreign")])],
      (head) => [at.turn, head, head, storedVersion, encodeStored(other)],
      (head) => [at.turn, head, head, storedVersion, encodeStored([])],
      (head) => [at.turn, head - 1, head, storedVersion, encodeStored(other)],
    ];
    for (const [place, row] of wrong.entries()) {
      await at.log.append([textOf("x")]);
      at.second.logs.noteRow(row(place + 2));
      await until(() => at.follower.read().endsWith(`${place + 2}:x`));
    }
    assert.doesNotMatch(at.follower.read(), /foreign/);
    assert.deepEqual(at.notes.faults, []);
  });
});
