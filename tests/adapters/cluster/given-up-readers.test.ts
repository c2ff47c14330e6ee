import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { followLog } from "../../../src/ports/follow-log.ts";
import type { TurnEvent } from "../../../src/ports/turn-event.ts";
import type { TurnLog } from "../../../src/ports/turn-log.ts";
import { created } from "../../ports/turn-log-store-contract.ts";
import { until } from "../../support/until.ts";
import { openCluster } from "./open-cluster.ts";

const status: TurnEvent = { type: "status", status: "starting", simulated: false };

/** Whether another reader has the same log open. */
function isShared(log: TurnLog): boolean {
  const reader = log.open(0, () => undefined);
  const batch = reader.take();
  reader.close();
  return batch?.type === "events" && batch.isShared === true;
}

/** A turn of one process, and a reader in another process that has read a part of it. */
async function setUp() {
  const cluster = await openCluster();
  const runner = await cluster.join().open();
  const member = cluster.join();
  const follower = await member.open();
  await (await created(runner.logs, "owner", "id")).append([status]);
  const kept = await cluster.logs.find("owner", "id");
  const found = await follower.logs.find("owner", "id");
  assert.ok(kept !== undefined && found !== undefined);
  const batches = followLog(found.log, { after: 0 });
  await batches.next();
  assert.equal(isShared(kept.log), true);
  return { member, batches, log: kept.log, [Symbol.asyncDispose]: cluster[Symbol.asyncDispose] };
}

describe("a reader in another process that stands between two batches", () => {
  it("is gone from the log when it is closed", async () => {
    await using at = await setUp();
    await at.batches.return(undefined);
    await until(() => !isShared(at.log));
  });

  it("is gone from the log with its process", async () => {
    await using at = await setUp();
    at.member.line.cut();
    await until(() => !isShared(at.log));
  });
});
