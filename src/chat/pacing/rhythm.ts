import type { Pacing } from "../../ports/turn-request.ts";
import type { Arrival } from "./text-queue.ts";

/** The minimum wait between two batches of one lane: faster text goes out as several chunks a batch. */
export const beatMs = 25;
/** System timers are no more exact than this, so a timer that fires this much early is in time. */
export const timerGrainMs = 1;

/** The chunks to show now, and the wait after them. */
export interface Beat {
  readonly chunks: number;
  /** Code units that cannot wait any longer, in any number of chunks. */
  readonly dueChars: number;
  readonly waitMs: number;
}

/**
 * `natural`: one chunk an interval as long as every waiting text is shown at most `maxLagMs` after it came; otherwise the interval
 * shrinks for the most urgent text. `fixed`: always one chunk an interval. `raw`: one a beat. Except for `fixed`, waits of whole beats
 * end on a beat, so that all lanes are read, stored and sent together.
 */
export function nextBeat(pacing: Pacing, arrivals: readonly Arrival[], nowMs: number): Beat {
  // Without the grain, a lane woken just before its beat would find the same beat again. It would drift to earlier beats, until most
  // lanes share one.
  const sinceBeatMs = ((nowMs + timerGrainMs) % beatMs) - timerGrainMs;
  if (pacing.mode === "raw") return { chunks: 1, dueChars: 0, waitMs: beatMs - sinceBeatMs };
  if (pacing.mode === "fixed") return { chunks: 1, dueChars: 0, waitMs: pacing.intervalMs };
  let intervalMs = pacing.intervalMs;
  let dueChars = 0;
  for (const arrival of arrivals) {
    const chunks = Math.ceil(arrival.end / pacing.chunkChars);
    const leftMs = arrival.atMs + pacing.maxLagMs - nowMs;
    if (leftMs <= 0) dueChars = arrival.end;
    else if (chunks > 1) intervalMs = Math.min(intervalMs, leftMs / (chunks - 1));
  }
  const chunks = Math.ceil(beatMs / intervalMs);
  const waitMs = chunks * intervalMs;
  return { chunks, dueChars, waitMs: waitMs % beatMs === 0 ? waitMs - sinceBeatMs : waitMs };
}
