import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { type NodeFault, nodeFaults } from "./postgres/node-faults.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { runNodeFaults } from "./postgres/run-node-faults.ts";
import { report } from "./record/report.ts";

/** How often each kind of fault is played; a longer run sets its own figures. */
const rounds = Number(process.env.NODE_ROUNDS ?? 1);
const streams = Number(process.env.CRASH_STREAMS ?? 15);
const seed = Number(process.env.CRASH_SEED ?? 1);

/** In a longer run, the frequent kinds come so much more often than the slow ones. */
const frequency = Number(process.env.NODE_FREQUENCY ?? 1);
const oneOfEach: readonly NodeFault[] = ["kill", "kill", "kill of a backend", "lost answers of commits"];
const frequent = Array.from({ length: frequency }, () => oneOfEach).flat();

describe("three nodes on one PostgreSQL", withPostgres, () => {
  after(stopShared);

  it(`lose nothing in ${rounds} rounds of all faults under ${streams} streams whose clients go to any node, seed ${seed}`, async () => {
    const random = createSeededRandom(seed);
    const faults: NodeFault[] = Array.from({ length: rounds }, (_, round) => [
      ...nodeFaults,
      ...(round === 0 ? [] : frequent),
    ])
      .flat()
      .map((fault) => ({ fault, place: random.next() }))
      .sort((one, other) => one.place - other.place)
      .map(({ fault }) => fault);
    const run = await runNodeFaults({ faults, streams, seed, patienceMs: 180_000 });
    const { deathGapsMs } = run;
    const gap = (share: number) =>
      `${Math.round(deathGapsMs[Math.ceil(share * deathGapsMs.length) - 1] ?? 0)} ms`;
    const played = nodeFaults.map((kind) => [kind, faults.filter((fault) => fault === kind).length] as const);
    report({
      program: "postgres-nodes",
      settings: { NODE_ROUNDS: rounds, NODE_FREQUENCY: frequency, CRASH_STREAMS: streams, CRASH_SEED: seed },
      figures: {
        ...Object.fromEntries(played),
        "cut connections of clients": run.cuts,
        "requests in the middle of their answer at a fault": run.inAnswer,
        ...run.endings,
        "turns of killed nodes that clients followed": deathGapsMs.length,
        "from the death to the next event or end, p50": gap(0.5),
        "from the death to the next event or end, p99": gap(0.99),
        ...run.judged,
        ...run.invariants,
      },
      findings: run.findings,
    });
    assert.deepEqual([run.findings.total, run.unread, run.inRows], [0, 0, []]);
  });
});
