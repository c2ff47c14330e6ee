import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { startServerPair } from "./postgres/server-pair.ts";
import { report } from "./record/report.ts";

/** The figures of a short run; a longer one sets its own. */
const failovers = Number(process.env.FAILOVERS ?? 1);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);
/** `asynchronous` plays a standby that may lose the last commits. The losses are reported, and nothing is asserted. */
const isSynchronous = process.env.FAILOVER_STANDBY !== "asynchronous";
const standby = isSynchronous ? "synchronous" : "asynchronous";

describe("three nodes whose PostgreSQL fails over to a standby", withPostgres, () => {
  after(stopShared);

  it(`lose nothing in ${failovers} failovers to a ${standby} standby under ${streams} streams, seed ${seed}`, async () => {
    await using pair = await startServerPair({ isSynchronous });
    const faults = Array.from({ length: failovers }, () => "failover" as const);
    const run = await runNodeFaults({ plan: [[{ faults }]], streams, seed, patienceMs: 180_000, on: pair });
    report({
      program: isSynchronous ? "postgres-failover" : "postgres-failover-asynchronous",
      settings: {
        ...(isSynchronous ? {} : { FAILOVER_STANDBY: "asynchronous" }),
        ...{ FAILOVERS: failovers, CRASH_STREAMS: streams, CRASH_SEED: seed },
      },
      figures: {
        [`failovers to a ${standby} standby`]: failovers,
        "requests in the middle of their answer at a fault": run.inAnswer,
        ...run.endings,
        ...run.invariants,
      },
      findings: run.findings,
    });
    assert.ok(run.inAnswer > 0);
    if (!isSynchronous) return;
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    const { interrupted, restarts, otherEnds } = run.endings;
    assert.deepEqual([interrupted, restarts, otherEnds], [0, 0, 0]);
  });
});
