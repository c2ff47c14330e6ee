import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import type { Pacing } from "../ports/turn-request.ts";
import { nextBeat } from "./rhythm.ts";
import { createTextQueue, type SideEvent } from "./text-queue.ts";

export type PacedEvent =
  | SideEvent
  | { readonly type: "text"; readonly text: string; readonly final: boolean };
export type ProviderEnd = Extract<ProviderEvent, { type: "end" }>;

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

/** Reading the upstream pauses while this many code units wait, and goes on at half of it. */
const mostWaitingChars = 65_536;
/** How long an abort waits for the upstream connection to be gone before it says that it is not. */
const longestCloseMs = 2_000;

/**
 * Gives an answer its rhythm: reads `source` ahead into a bounded queue and yields its text in chunks, side events in their
 * place. The last text event has `final: true`, exactly once, whatever happens; on an abort everything that waits is yielded
 * without delay first.
 */
export async function* pace(
  source: AsyncIterable<ProviderEvent[]>,
  pacing: Pacing,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<PacedEvent[], PaceResult> {
  const queue = createTextQueue();
  const chunkChars = pacing.mode === "raw" ? Number.MAX_SAFE_INTEGER : pacing.chunkChars;
  let outcome: { end?: ProviderEnd; error?: unknown } | undefined;
  let arrived = Promise.withResolvers<void>();
  let drained = Promise.withResolvers<void>();
  let abortedAtMs = 0;
  let abandoned = false;
  const onAbort = () => {
    abortedAtMs = clock.now();
    arrived.resolve();
    drained.resolve();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });

  async function read(): Promise<void> {
    let end: ProviderEnd | undefined;
    try {
      for await (const batch of source) {
        const nowMs = clock.now();
        for (const event of batch) {
          if (event.type === "text") queue.pushText(event.text, nowMs);
          else if (event.type === "end") end = event;
          else queue.pushEvent(event);
        }
        if (end !== undefined) break;
        arrived.resolve();
        while (queue.chars > mostWaitingChars && !signal.aborted && !abandoned) {
          drained = Promise.withResolvers<void>();
          await drained.promise;
        }
        if (abandoned) break;
      }
      outcome = end === undefined ? { error: new Error("The provider ended without an end.") } : { end };
    } catch (error) {
      outcome = { error };
    }
    arrived.resolve();
  }

  const reading = read();
  let nextTextAtMs = 0;
  try {
    while (!signal.aborted) {
      const nowMs = clock.now();
      const batch: PacedEvent[] = queue.takeEvents();
      const heldTooLong = nowMs - (queue.oldestMs() ?? nowMs) >= pacing.maxLagMs;
      const moreMayFollow = outcome === undefined && pacing.mode !== "raw" && !heldTooLong;
      const showable = queue.showable(moreMayFollow);
      if (showable > 0 && nowMs >= nextTextAtMs) {
        const beat = nextBeat(pacing, queue.arrivals(), nowMs);
        let left = showable;
        for (let count = 0; count < beat.chunks && left > 0; count += 1) {
          const before = queue.chars;
          const text = queue.takeChunk(chunkChars, left);
          left -= before - queue.chars;
          batch.push({ type: "text", text, final: outcome !== undefined && queue.empty });
        }
        nextTextAtMs = pacing.mode === "raw" ? nowMs : nowMs + beat.waitMs;
        if (queue.chars <= mostWaitingChars / 2) drained.resolve();
      }
      if (outcome !== undefined && queue.empty) {
        const last = batch.at(-1);
        if (last?.type !== "text") batch.push({ type: "text", text: "", final: true });
        yield batch;
        return outcome.end === undefined
          ? { type: "failed", error: outcome.error }
          : { type: "ended", end: outcome.end };
      }
      if (batch.length > 0) {
        yield batch;
      } else if (showable > 0) {
        await clock.sleep(nextTextAtMs - nowMs, signal);
      } else if (queue.chars > 0) {
        // Only a cluster that may go on waits: look again after an interval at the latest.
        await clock.sleep(Math.min(pacing.intervalMs, Math.max(1, pacing.maxLagMs)), signal);
      } else {
        await arrived.promise;
        arrived = Promise.withResolvers<void>();
      }
    }
    yield flush(queue, chunkChars);
    const patience = new AbortController();
    await Promise.race([reading, clock.sleep(longestCloseMs, patience.signal)]);
    patience.abort();
    const closedInMs = Math.max(0, clock.now() - abortedAtMs);
    return { type: "aborted", reason: signal.reason, closed: outcome !== undefined, closedInMs };
  } finally {
    signal.removeEventListener("abort", onAbort);
    abandoned = true;
    drained.resolve();
  }
}

/** Everything that waits, at once, ending with the final text. */
function flush(queue: ReturnType<typeof createTextQueue>, chunkChars: number): PacedEvent[] {
  const batch: PacedEvent[] = [];
  let text = "";
  while (!queue.empty) {
    batch.push(...queue.takeEvents());
    if (queue.chars === 0) continue;
    if (text !== "") batch.push({ type: "text", text, final: false });
    text = queue.takeChunk(chunkChars, queue.showable(false));
  }
  batch.push({ type: "text", text, final: true });
  return batch;
}
