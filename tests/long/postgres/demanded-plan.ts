import type { SeededRandom } from "../../crash/seeded-random.ts";
import type { NodeFault } from "./node-faults.ts";
import type { FaultTrack } from "./run-node-faults.ts";

type Counts = Partial<Record<NodeFault, number>>;

/** The demanded counts of one long run. */
export const demanded = {
  "cut connections of clients": 3_000,
  "killed nodes": 300,
  "lost answers of commits": 1_000,
} as const;

/**
 * The tracks of each phase. In the first two, the ways to the database are open and one node always lives, so a death is noticed as soon as it can
 * be. In the last one everything fails at once.
 */
const phases: readonly (readonly Counts[])[] = [
  [{ kill: 22 }, { kill: 22 }],
  [{ "kill of two": 12 }],
  [
    { kill: 73, "stop in order": 12 },
    { kill: 80 },
    { kill: 79 },
    {
      "restart of the database": 25,
      "restart of the database in order": 25,
      "kill of a backend": 200,
      "late statements": 12,
      "no way to the database": 12,
      "no way from the database": 12,
    },
    { "lost answers of commits": 280 },
    { stop: 50, "no way to the database for 30 s": 1, "no way from the database for 30 s": 1 },
  ],
];

export function demandedPlan(random: SeededRandom): readonly (readonly FaultTrack[])[] {
  return phases.map((tracks) =>
    tracks.map((counts) => ({ faults: shuffled(counts, random), pauseMs: 1_200 })),
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
