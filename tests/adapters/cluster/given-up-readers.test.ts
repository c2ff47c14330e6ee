import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { TurnEvent } from "../../../src/ports/turn-event.ts";
import type { LogBatch, LogReader, TurnLog } from "../../../src/ports/turn-log.ts";
import { created } from "../../ports/turn-log-store-contract.ts";
import { openCluster } from "./open-cluster.ts";

const status: TurnEvent = { type: "status", status: "starting", simulated: false };
const mostLoopTurns = 2_000;

async function firstBatch(
  open: (wake: () => void) => LogReader,
): Promise<{ reader: LogReader; batch: LogBatch }> {
  let wake: () => void = () => undefined;
  const reader = open(() => wake());
  for (;;) {
    const came = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const batch = reader.take();
    if (batch !== undefined) return { reader, batch };
    await came;
  }
}

/** Whether somebody else reads a log as well. */
function isShared(log: TurnLog): boolean {
  const reader = log.open(0, () => undefined);
  const batch = reader.take();
  reader.close();
  return batch?.type === "events" && batch.isShared === true;
}

async function untilAlone(log: TurnLog): Promise<void> {
  for (let turns = 0; turns < mostLoopTurns && isShared(log); turns += 1) await nextLoopTurn();
}

/** A turn of one process, with a reader in another that stands between two batches. */
async function setUp() {
  const cluster = await openCluster();
  const runner = await cluster.join().open();
  const member = cluster.join();
  const follower = await member.open();
  await (await created(runner.logs, "owner", "id")).append([status]);
  const kept = await cluster.logs.find("owner", "id");
  const found = await follower.logs.find("owner", "id");
  assert.ok(kept !== undefined && found !== undefined);
  const { reader } = await firstBatch((wake) => found.log.open(0, wake));
  assert.equal(isShared(kept.log), true);
  return { member, reader, log: kept.log, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
}

describe("a reader in another process that stands between two batches", () => {
  it("is gone from the log when it is closed", async () => {
    await using at = await setUp();
    at.reader.close();
    await untilAlone(at.log);
    assert.equal(isShared(at.log), false);
  });

  it("is gone from the log with its process", async () => {
    await using at = await setUp();
    at.member.line.cut();
    await untilAlone(at.log);
    assert.equal(isShared(at.log), false);
  });
});
