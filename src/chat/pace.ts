import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import type { Pacing } from "../ports/turn-request.ts";
import { PacedSource, type ProviderEnd } from "./paced-source.ts";
import { beatMs, nextBeat } from "./rhythm.ts";
import { type PassedCheckpoint, type SideEvent, TextQueue } from "./text-queue.ts";

export type PacedEvent =
  | SideEvent
  | PassedCheckpoint
  | { readonly type: "text"; readonly text: string; readonly final: boolean };

/** How the answer ended. After an abort `reason` is the signal's, and the upstream connection was waited for. */
export type PaceResult =
  | { readonly type: "ended"; readonly end: ProviderEnd }
  | { readonly type: "failed"; readonly error: unknown }
  | {
      readonly type: "aborted";
      readonly reason: unknown;
      readonly closed: boolean;
      readonly closedInMs: number;
    };

/** Reading the upstream pauses while this many code units wait, side events included, and goes on at half of it. */
const mostWaitingChars = 65_536;
/** How long an abort waits for the upstream connection to be gone before it says that it is not. */
const longestCloseMs = 2_000;
/** Timers of the system are not more exact than this. */
const timerGrainMs = 0.9;

export interface PaceOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes what is shown at one moment; nothing more is shown before it settles. Where it rejects, so does the whole. */
  readonly emit: (batch: PacedEvent[]) => Promise<void>;
}

/**
 * Gives an answer its rhythm: reads `batches` into a bounded queue and emits their text in chunks, side events in their place.
 * Until the first text the provider is asked without a pause, then only when the next chunk is due: what comes in between waits
 * in the connection and is read together. The last text event has `final: true`, exactly once, whatever happens; on an abort
 * everything that waits is emitted without delay first.
 */
export async function pace(
  batches: AsyncIterable<ProviderEvent[]>,
  pacing: Pacing,
  { clock, signal, emit }: PaceOptions,
): Promise<PaceResult> {
  const queue = new TextQueue();
  const isRaw = pacing.mode === "raw";
  const chunkChars = isRaw ? Number.MAX_SAFE_INTEGER : pacing.chunkChars;
  let wake: () => void = () => undefined;
  const source = new PacedSource(batches, { queue, clock, onChange: () => wake() });
  let abortedAtMs: number | undefined;
  const onAbort = () => {
    abortedAtMs = clock.now();
    source.leave();
    wake();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });

  /** Until something comes or the answer is stopped, or until then. */
  function untilChange(atMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel =
        atMs === Infinity ? () => undefined : clock.callAfter(Math.max(0, atMs - clock.now()), resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }

  let nextTextAtMs = 0;
  let soonestTextAtMs = 0;
  let askAtMs = 0;
  let readBatches = 0;
  let isFull = false;

  try {
    while (abortedAtMs === undefined) {
      const nowMs = clock.now();
      const batch: PacedEvent[] = queue.takeEvents();
      const isOver = source.outcome !== undefined;
      const oldestMs = queue.oldestMs();
      const latestMs = (oldestMs ?? nowMs) + pacing.maxLagMs;
      // What began to come by then is shown whether its cluster goes on or not.
      const heldThroughMs = isRaw ? Infinity : nowMs - pacing.maxLagMs;
      const showable = isOver ? queue.chars : queue.settled(heldThroughMs);
      // What waits and cannot be shown is a cluster that may go on, until its time is up.
      const isHeld = showable < queue.chars && oldestMs !== undefined && oldestMs > heldThroughMs;
      const textAtMs =
        pacing.mode === "natural"
          ? Math.min(nextTextAtMs, Math.max(soonestTextAtMs, latestMs))
          : nextTextAtMs;
      if (showable > 0 && nowMs >= textAtMs - timerGrainMs) {
        const beat = nextBeat(pacing, queue.arrivals(), nowMs);
        const waiting = queue.chars;
        let shown = 0;
        for (let count = 0; shown < showable && (count < beat.chunks || shown < beat.dueChars); count += 1) {
          batch.push(...queue.takeEvents());
          const text = queue.takeChunk(chunkChars, showable - shown);
          shown = waiting - queue.chars;
          batch.push({ type: "text", text, final: isOver && queue.empty });
        }
        nextTextAtMs = nowMs + beat.waitMs;
        soonestTextAtMs = nowMs + beatMs;
      }
      if (isOver && queue.empty && source.outcome !== undefined) {
        if (batch.at(-1)?.type !== "text") batch.push({ type: "text", text: "", final: true });
        await emit(batch);
        const { outcome } = source;
        return "end" in outcome
          ? { type: "ended", end: outcome.end }
          : { type: "failed", error: outcome.error };
      }
      if (source.batches > readBatches) {
        readBatches = source.batches;
        // With the next chunk, unless the rest of a held cluster or what comes in between would then be too late.
        const heldAtMs = isHeld ? latestMs - beatMs : Infinity;
        const lateAtMs = pacing.mode === "natural" ? nowMs + Math.max(beatMs, pacing.maxLagMs) : Infinity;
        askAtMs = source.sawText ? Math.min(nextTextAtMs, heldAtMs, lateAtMs) : 0;
      }
      isFull = queue.size > (isFull ? mostWaitingChars / 2 : mostWaitingChars);
      const mayAsk = !isOver && !source.isAsking && !isFull;
      if (mayAsk && nowMs >= askAtMs - timerGrainMs) source.ask();
      batch.push(...queue.takeCheckpoint());
      if (batch.length > 0) {
        await emit(batch);
        continue;
      }
      const heldUntilMs = isHeld ? Math.max(nowMs + 1, latestMs) : Infinity;
      const showAtMs = showable > 0 ? textAtMs : heldUntilMs;
      await untilChange(Math.min(showAtMs, mayAsk && !source.isAsking ? askAtMs : Infinity));
    }
    await emit(flush(queue, chunkChars));
    await Promise.race([
      source.closed,
      new Promise<void>((resolve) => {
        const cancel = clock.callAfter(longestCloseMs, resolve);
        void source.closed.then(cancel);
      }),
    ]);
    const { closedAtMs } = source;
    const closedInMs = Math.max(0, (closedAtMs ?? clock.now()) - (abortedAtMs ?? 0));
    return { type: "aborted", reason: signal.reason, closed: closedAtMs !== undefined, closedInMs };
  } finally {
    signal.removeEventListener("abort", onAbort);
    source.leave();
  }
}

/** Everything that waits, at once, ending with the final text. */
function flush(queue: TextQueue, chunkChars: number): PacedEvent[] {
  const batch: PacedEvent[] = [];
  while (!queue.empty) {
    batch.push(...queue.takeEvents());
    const text = queue.takeChunk(chunkChars, queue.chars);
    if (text !== "") batch.push({ type: "text", text, final: queue.empty });
  }
  if (batch.at(-1)?.type !== "text") batch.push({ type: "text", text: "", final: true });
  return batch;
}
