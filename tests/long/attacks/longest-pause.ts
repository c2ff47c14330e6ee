import type { Gap, NeighbourReport } from "./neighbour-program.ts";
import type { Stall } from "./watch-stalls.ts";

/** The longest time that the server let a neighbour wait beyond the rhythm of its answer, milliseconds. */
export interface LongestPause {
  /** Less the time in which the machine stood still, which is the server's share. */
  readonly serverMs: number;
  /** With that time. */
  readonly seenMs: number;
}

/** The time between two words. */
const rhythmMs = 20;

/** Tells pauses of the server from those of the machine, of the provider and of the neighbour itself. */
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

/** How much of a gap lies within stalls; a time that lies within two counts once. */
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
