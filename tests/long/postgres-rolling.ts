import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { report } from "./record/report.ts";

/** Without a figure it is skipped: the nodes of `postgres-nodes` stop in order, too. */
const restarts = Number(process.env.ROLLING_RESTARTS ?? 0);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

const skip = withPostgres.skip || (restarts === 0 && "ROLLING_RESTARTS gives no figure");

describe("three nodes that restart one after the other", { skip }, () => {
  after(stopShared);

  it(`lose and interrupt nothing in ${restarts} rolling restarts under ${streams} streams, seed ${seed}`, async () => {
    const faults = Array.from({ length: restarts }, () => "rolling restart" as const);
    const run = await runNodeFaults({ plan: [[{ faults }]], streams, seed, patienceMs: 180_000 });
    report({
      program: "postgres-rolling",
      settings: { ROLLING_RESTARTS: restarts, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: {
        "rolling restarts": restarts,
        "nodes that stopped and started": 3 * restarts,
        "requests in the middle of their answer at the start of a restart": run.inAnswer,
        ...run.endings,
        ...run.judged,
        ...run.invariants,
      },
      findings: run.findings,
    });
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    assert.deepEqual([run.endings.interrupted, run.endings.otherEnds], [0, 0]);
    assert.ok(run.inAnswer > 0);
  });
});
