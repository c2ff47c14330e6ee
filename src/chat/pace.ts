import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import type { Pacing } from "../ports/turn-request.ts";
import { beatMs, nextBeat } from "./rhythm.ts";
import { createTextQueue, type SideEvent, type TextQueue } from "./text-queue.ts";

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

/** Reading the upstream pauses while this many code units wait, side events included, and goes on at half of it. */
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
  const hurries = pacing.mode === "natural";
  let outcome: { end?: ProviderEnd; error?: unknown } | undefined;
  let arrived = Promise.withResolvers<void>();
  let drained = Promise.withResolvers<void>();
  let abortedAtMs = 0;
  let closedAtMs = 0;
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
          else if (event.type !== "checkpoint") queue.pushEvent(event);
        }
        if (end !== undefined) break;
        arrived.resolve();
        while (queue.size > mostWaitingChars && !signal.aborted && !abandoned) {
          drained = Promise.withResolvers<void>();
          await drained.promise;
        }
        if (signal.aborted || abandoned) break;
      }
      outcome = end === undefined ? { error: new Error("The provider ended without an end.") } : { end };
    } catch (error) {
      outcome = { error };
    }
    closedAtMs = clock.now();
    arrived.resolve();
  }

  /** Until something comes, or for so long. */
  async function untilArrival(mostMs: number): Promise<void> {
    const patience = new AbortController();
    const waits = mostMs < Infinity ? [clock.sleep(mostMs, patience.signal)] : [];
    await Promise.race([arrived.promise, ...waits]);
    patience.abort();
    arrived = Promise.withResolvers<void>();
  }

  const reading = read();
  let nextTextAtMs = 0;
  let soonestTextAtMs = 0;
  try {
    while (!signal.aborted) {
      const nowMs = clock.now();
      const batch: PacedEvent[] = queue.takeEvents();
      const oldestMs = queue.oldestMs();
      const latestMs = (oldestMs ?? nowMs) + pacing.maxLagMs;
      // What began to come by then is shown whether its cluster goes on or not.
      const heldThroughMs = pacing.mode === "raw" ? Infinity : nowMs - pacing.maxLagMs;
      const showable = outcome === undefined ? queue.settled(heldThroughMs) : queue.chars;
      const textAtMs = hurries ? Math.min(nextTextAtMs, Math.max(soonestTextAtMs, latestMs)) : nextTextAtMs;
      if (showable > 0 && nowMs >= textAtMs) {
        const beat = nextBeat(pacing, queue.arrivals(), nowMs);
        const waiting = queue.chars;
        let shown = 0;
        for (let count = 0; shown < showable && (count < beat.chunks || shown < beat.dueChars); count += 1) {
          batch.push(...queue.takeEvents());
          const text = queue.takeChunk(chunkChars, showable - shown);
          shown = waiting - queue.chars;
          batch.push({ type: "text", text, final: outcome !== undefined && queue.empty });
        }
        nextTextAtMs = pacing.mode === "raw" ? nowMs : nowMs + beat.waitMs;
        soonestTextAtMs = nowMs + beatMs;
      }
      if (queue.size <= mostWaitingChars / 2) drained.resolve();
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
        await clock.sleep(textAtMs - nowMs, signal);
      } else {
        // What waits, if anything does, is a cluster that may go on, until its time is up.
        const isHeld = oldestMs !== undefined && oldestMs > heldThroughMs;
        await untilArrival(isHeld ? Math.max(1, latestMs - nowMs) : Infinity);
      }
    }
    yield flush(queue, chunkChars);
    const patience = new AbortController();
    await Promise.race([reading, clock.sleep(longestCloseMs, patience.signal)]);
    patience.abort();
    const closed = outcome !== undefined;
    const closedInMs = Math.max(0, (closed ? closedAtMs : clock.now()) - abortedAtMs);
    return { type: "aborted", reason: signal.reason, closed, closedInMs };
  } finally {
    signal.removeEventListener("abort", onAbort);
    abandoned = true;
    drained.resolve();
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
