import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { databaseFaults } from "./postgres/database-faults.ts";
import type { DatabaseFault } from "./postgres/node-faults.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { report } from "./record/report.ts";

const kinds = Object.keys(databaseFaults) as readonly DatabaseFault[];
/** The kinds of a short run. `NODE_FAULTS` lists others, separated by commas, or is `all`. */
const short: readonly DatabaseFault[] = [
  "read-only database",
  "no free connection",
  "kill of the database",
  "rows that the database refuses",
];
const chosen = process.env.NODE_FAULTS;
const faults =
  chosen === undefined ? short : kinds.filter((kind) => chosen === "all" || chosen.split(",").includes(kind));
const rounds = Number(process.env.NODE_ROUNDS ?? 1);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

describe("three nodes whose PostgreSQL fails", withPostgres, () => {
  after(stopShared);

  it(`lose and interrupt nothing in ${rounds} rounds of ${faults.length} kinds of fault under ${streams} streams, seed ${seed}`, async () => {
    const played = Array.from({ length: rounds }, () => faults).flat();
    const run = await runNodeFaults({ plan: [[{ faults: played }]], streams, seed, patienceMs: 180_000 });
    report({
      program: "postgres-outages",
      settings: {
        ...(chosen === undefined ? {} : { NODE_FAULTS: `"${chosen}"` }),
        NODE_ROUNDS: rounds,
        CRASH_STREAMS: streams,
        CRASH_SEED: seed,
      },
      figures: {
        ...Object.fromEntries(faults.map((kind) => [kind, rounds])),
        "requests in the middle of their answer at a fault": run.inAnswer,
        "requests of which a row was refused": run.refusals,
        ...run.endings,
        ...run.invariants,
      },
      findings: run.findings,
    });
    const { interrupted, restarts, otherEnds } = run.endings;
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    assert.deepEqual([interrupted, restarts, otherEnds], [0, 0, run.refusals]);
    assert.ok(run.inAnswer > 0);
    assert.equal(run.refusals > 0, faults.includes("rows that the database refuses"));
  });
});
