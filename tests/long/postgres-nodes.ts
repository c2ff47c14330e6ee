import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { demanded, demandedPlan, shuffled } from "./postgres/demanded-plan.ts";
import { type NodeFault, nodeFaults } from "./postgres/node-faults.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { report } from "./record/report.ts";

/** `NODE_PLAN=demanded` plays the demanded counts, which takes about 40 minutes, in place of rounds. */
const isDemanded = process.env.NODE_PLAN === "demanded";
/** How often each kind of fault is played; a longer run sets its own figures. */
const rounds = Number(process.env.NODE_ROUNDS ?? 1);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

/** In a longer run, the frequent kinds come so much more often than the slow ones. */
const frequency = Number(process.env.NODE_FREQUENCY ?? 1);
const frequent: Partial<Record<NodeFault, number>> = {
  kill: 2 * frequency,
  "kill of a backend": frequency,
  "lost answers of commits": frequency,
};
const named = isDemanded ? "the demanded counts" : `${rounds} rounds`;
const settings = isDemanded ? { NODE_PLAN: "demanded" } : { NODE_ROUNDS: rounds, NODE_FREQUENCY: frequency };

/** Each kind once a round, and the frequent ones more often from the second round on. */
function countsOfRounds(): Record<string, number> {
  return Object.fromEntries(nodeFaults.map((kind) => [kind, rounds + (rounds - 1) * (frequent[kind] ?? 0)]));
}

/** The median and the 99th percentile of lengths in ascending order. */
function sharesOf(what: string, lengthsMs: readonly number[]): Record<string, number | string> {
  const share = (part: number) => `${Math.round(lengthsMs[Math.ceil(part * lengthsMs.length) - 1] ?? 0)} ms`;
  return {
    [`turns of killed nodes that clients followed, ${what}`]: lengthsMs.length,
    [`from the death to the next event or end, ${what}, p50`]: share(0.5),
    [`from the death to the next event or end, ${what}, p99`]: share(0.99),
  };
}

describe("three nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  it(`lose nothing in ${named} of all faults under ${streams} streams whose clients go to any node, seed ${seed}`, async () => {
    const random = createSeededRandom(seed);
    const plan = isDemanded ? demandedPlan(random) : [[{ faults: shuffled(countsOfRounds(), random) }]];
    const run = await runNodeFaults({ plan, streams, seed, patienceMs: 180_000 });
    const played = Object.entries(
      Object.groupBy(
        plan.flat().flatMap(({ faults }) => faults),
        (kind) => kind,
      ),
    ).map(([kind, faults]) => [kind, faults.length] as const);
    const { kill: kills = 0, "kill of two": killsOfTwo = 0 } = Object.fromEntries(played);
    const counts = {
      "cut connections of clients": run.cuts,
      "killed nodes": kills + 2 * killsOfTwo,
      "lost answers of commits": run.lostCommits,
    };
    report({
      program: "postgres-nodes",
      settings: { ...settings, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: {
        ...Object.fromEntries(played.map(([kind, count]) => [`fault: ${kind}`, count])),
        ...counts,
        "requests in the middle of their answer at a fault": run.inAnswer,
        ...run.endings,
        ...sharesOf("no outage near", run.deathGaps.calm),
        ...sharesOf("an outage near", run.deathGaps.nearOutages),
        ...run.judged,
        ...run.invariants,
      },
      findings: run.findings,
    });
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
    assert.ok(run.lostCommits > 0);
    for (const [what, count] of Object.entries(isDemanded ? demanded : {}))
      assert.ok(counts[what as keyof typeof counts] >= count, `${what}: fewer than ${count}`);
  });
});
