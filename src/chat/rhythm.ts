import type { Pacing } from "../ports/turn-request.ts";

/** The shortest wait between two batches of one lane: quicker text goes out as several chunks a batch. */
export const beatMs = 25;

/** How many chunks to show now, and how long to wait after them. */
export interface Beat {
  readonly chunks: number;
  readonly waitMs: number;
}

interface Arrival {
  readonly end: number;
  readonly atMs: number;
}

/**
 * `natural`: one chunk an interval while every waiting piece of text is shown at most `maxLagMs` after it came; otherwise
 * the interval shrinks to what the most pressing piece needs. `fixed`: always one chunk an interval.
 */
export function nextBeat(pacing: Pacing, arrivals: readonly Arrival[], nowMs: number): Beat {
  if (pacing.mode !== "natural") return { chunks: 1, waitMs: pacing.intervalMs };
  let intervalMs = pacing.intervalMs;
  let overdueChunks = 1;
  for (const arrival of arrivals) {
    const chunks = Math.ceil(arrival.end / pacing.chunkChars);
    const leftMs = arrival.atMs + pacing.maxLagMs - nowMs;
    if (leftMs <= 0) overdueChunks = Math.max(overdueChunks, chunks);
    else if (chunks > 1) intervalMs = Math.min(intervalMs, leftMs / (chunks - 1));
  }
  const chunks = Math.max(overdueChunks, Math.ceil(beatMs / intervalMs));
  return { chunks, waitMs: Math.max(beatMs, intervalMs) };
}
