import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { NodeFault } from "./node-faults.ts";
import type { FaultTrack } from "./run-node-faults.ts";

type Counts = Partial<Record<NodeFault, number>>;

interface Phase {
  /** The longest pause before a fault, milliseconds. */
  readonly pauseMs: number;
  /** Played at the same time. */
  readonly tracks: readonly Counts[];
}

/** The demanded counts of one long run. */
export const demanded = {
  "cut connections of clients": 3_000,
  "killed nodes": 300,
  "lost answers of commits": 1_000,
} as const;

/**
 * The tracks of each phase. In the first two, the ways to the database are open and one node always lives, so a death is noticed as soon as it can
 * be. In the third, the database and the ways to it fail all the time, and no node dies. In the last one, nodes die in outages, with time in between:
 * no node counts as dead until an outage is over for 15 s.
 */
const phases: readonly Phase[] = [
  { pauseMs: 1_200, tracks: [{ kill: 130, "stop in order": 12 }, { kill: 130 }] },
  { pauseMs: 1_200, tracks: [{ stop: 25 }, { stop: 25 }] },
  {
    pauseMs: 1_200,
    tracks: [
      {
        "restart of the database": 19,
        "restart of the database in order": 25,
        "kill of a backend": 200,
        "late statements": 12,
        "no way to the database": 9,
        "no way from the database": 9,
      },
      { "lost answers of commits": 140 },
    ],
  },
  {
    pauseMs: 12_000,
    tracks: [
      {
        ...{ kill: 16, "kill of two": 12, "restart of the database": 6 },
        ...{ "no way to the database": 3, "no way from the database": 3 },
        ...{ "no way to the database for 30 s": 3, "no way from the database for 30 s": 3 },
      },
    ],
  },
];

export function demandedPlan(random: SeededRandom): readonly (readonly FaultTrack[])[] {
  return phases.map(({ pauseMs, tracks }) =>
    tracks.map((counts) => ({ faults: shuffled(counts, random), pauseMs })),
  );
}

/** Each kind so many times, in an order by chance. */
export function shuffled(counts: Counts, random: SeededRandom): NodeFault[] {
  return Object.entries(counts)
    .flatMap(([kind, count]) =>
      Array.from({ length: count }, () => ({ kind: kind as NodeFault, place: random.next() })),
    )
    .sort((one, other) => one.place - other.place)
    .map(({ kind }) => kind);
}
