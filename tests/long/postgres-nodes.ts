import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { type NodeFault, runNodeFaults } from "./postgres/run-node-faults.ts";
import { report } from "./record/report.ts";

/** The figures of a short run; a longer one sets its own. */
const count = Number(process.env.CRASH_KILLS ?? 6);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

describe("three nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  it(`lose nothing in ${count} faults under ${streams} streams whose clients go to any node, seed ${seed}`, async () => {
    const random = createSeededRandom(seed);
    const faults = Array.from({ length: count }, () =>
      random.pick<NodeFault>(["kill", "kill", "stop", "restart of the database"]),
    );
    const run = await runNodeFaults({ faults, streams, seed, patienceMs: 180_000 });
    report({
      program: "postgres-nodes",
      settings: { CRASH_KILLS: count, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: { "requests in the middle of their answer at a fault": run.inAnswer, ...run.endings },
      findings: run.findings,
    });
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
  });
});
