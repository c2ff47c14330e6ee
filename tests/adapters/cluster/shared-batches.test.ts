import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogBatch, LogReader, TurnLog } from "../../../src/ports/turn-log.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { created } from "../../ports/turn-log-store-contract.ts";
import { until } from "../../support/until.ts";
import { openCluster } from "./open-cluster.ts";

/** A turn of one process, and a function by which another process finds it. */
async function setUp() {
  const cluster = await openCluster();
  const [runner, follower] = [await cluster.join().open(), await cluster.join().open()];
  const log = await created(runner.logs, "owner", "id");
  return {
    log,
    async find(): Promise<TurnLog> {
      const found = await follower.logs.find("owner", "id");
      assert.ok(found !== undefined);
      return found.log;
    },
    [Symbol.asyncDispose]: cluster[Symbol.asyncDispose],
  };
}

/** The first batch after a position, and its reader, which holds the batch as for a client that does not read. */
async function stalledAt(log: TurnLog, after: number): Promise<{ batch: LogBatch; reader: LogReader }> {
  const reader = log.open(after, () => undefined);
  let batch = reader.take();
  await until(() => {
    batch ??= reader.take();
    return batch !== undefined;
  });
  assert.ok(batch !== undefined);
  return { batch, reader };
}

test("readers of one process that stand at one place of another's turn hold one batch", async () => {
  await using at = await setUp();
  await at.log.append([textOf("x".repeat(100_000)), terminal]);
  const together = await Promise.all(Array.from({ length: 20 }, async () => stalledAt(await at.find(), 0)));
  const late = [await stalledAt(await at.find(), 0), await stalledAt(await at.find(), 0)];
  const [first, ...others] = [...together, ...late];
  assert.ok(first !== undefined && others.every(({ batch }) => batch === first.batch));
  for (const { reader } of [...together, ...late]) reader.close();
});

test("each gets everything once, wherever it starts and even if others are closed", async () => {
  await using at = await setUp();
  await at.log.append([textOf("a"), textOf("b")]);
  const followers = await Promise.all(
    Array.from({ length: 12 }, async (_, number) => followed(await at.find(), number % 3)),
  );
  for (let count = 0; count < 20; count += 1) {
    await at.log.append([textOf(`${count}`)]);
    // The follower that reads for the others may leave at any time.
    if (count % 5 === 0) followers[count / 5]?.stop();
  }
  await at.log.append([terminal]);
  await Promise.all(followers.map(({ ended }) => ended));
  const all = [
    "1:a",
    "2:b",
    ...Array.from({ length: 20 }, (_, count) => `${count + 3}:${count}`),
    "23:answer",
  ];
  for (const [number, follower] of followers.entries())
    if (number > 3) assert.equal(follower.read(), all.slice(number % 3).join(" "));
});
