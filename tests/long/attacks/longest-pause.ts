import type { Gap, NeighbourReport } from "./neighbour-program.ts";
import type { Stall } from "./watch-stalls.ts";

/** The longest time that the server let a neighbour wait beyond the rhythm of its answer, in milliseconds. */
export interface LongestPause {
  /** The server's share: without the time in which the machine stood still. */
  readonly serverMs: number;
  /** Including that time. */
  readonly seenMs: number;
}

/** The time between two words. */
const rhythmMs = 20;

/** Separates pauses of the server from those of the machine, of the provider and of the neighbour itself. */
export function longestPause({ gaps, stalls }: NeighbourReport, control: readonly Stall[]): LongestPause {
  let longest = { serverMs: 0, seenMs: 0 };
  for (const gap of gaps) {
    const seenMs = gap.toMs - gap.fromMs - Math.max(rhythmMs, gap.sentGapMs);
    const serverMs = seenMs - stoodStillMs(gap, [...stalls, ...control]);
    longest = {
      serverMs: Math.max(longest.serverMs, serverMs),
      seenMs: Math.max(longest.seenMs, seenMs),
    };
  }
  return longest;
}

/** How much of a gap was inside stalls. Overlapping stalls count once. */
function stoodStillMs({ fromMs, toMs }: Gap, stalls: readonly Stall[]): number {
  let sum = 0;
  let countedMs = fromMs;
  for (const stall of [...stalls].sort((one, other) => one.fromMs - other.fromMs)) {
    const startMs = Math.max(stall.fromMs, countedMs);
    const endMs = Math.min(stall.toMs, toMs);
    if (endMs <= startMs) continue;
    sum += endMs - startMs;
    countedMs = endMs;
  }
  return sum;
}
