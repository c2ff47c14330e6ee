import type { Pacing } from "../ports/turn-request.ts";
import type { Arrival } from "./text-queue.ts";

/** The shortest wait between two batches of one lane: quicker text goes out as several chunks a batch. */
export const beatMs = 25;
/** Timers of the system are not more exact than this, and what comes that much before its time is in time. */
export const timerGrainMs = 1;

/** What to show now, and how long to wait after it. */
export interface Beat {
  readonly chunks: number;
  /** Code units that cannot wait any longer, in however many chunks. */
  readonly dueChars: number;
  readonly waitMs: number;
}

/**
 * `natural`: one chunk an interval while every waiting piece of text is shown at most `maxLagMs` after it came; otherwise
 * the interval shrinks to what the most pressing piece needs. `fixed`: always one chunk an interval. `raw`: one a beat.
 * But for `fixed`, waits of whole beats end where beats do, so that all lanes are read, kept and sent together.
 */
export function nextBeat(pacing: Pacing, arrivals: readonly Arrival[], nowMs: number): Beat {
  // A lane that was woken a moment before its beat would else find the same beat again, and move to an earlier one from time to time,
  // until all are together where most are.
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
