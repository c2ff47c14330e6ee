import type { Clock } from "../../ports/clock.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import type { Pacing } from "../../ports/turn-request.ts";
import { PacedSource, type SourceOutcome } from "./paced-source.ts";
import { type Arrival, type PassedCheckpoint, type SideEvent, TextQueue } from "./text-queue.ts";

export type PacedEvent =
  | SideEvent
  | PassedCheckpoint
  | { readonly type: "text"; readonly text: string; readonly final: boolean };

/** The end of the answer. After an abort, `reason` is the signal's, and the upstream connection was waited for. */
export type PaceResult =
  | SourceOutcome
  | {
      readonly type: "aborted";
      readonly reason: unknown;
      readonly closed: boolean;
      readonly closedInMs: number;
    };

/** The minimum wait between two batches of one lane: faster text goes out as several chunks a batch. */
export const beatMs = 25;
/** System timers are no more exact than this, so a timer that fires this much early is in time. */
const timerGrainMs = 1;

/** Reading the upstream pauses while this many code units wait, side events included, and resumes at half of it. */
const maxWaitingChars = 65_536;
/** Maximum code points of one chunk without a rhythm: 65,536 take at most 384 KiB on the wire, which every client can read. */
const maxRawChunkChars = 65_536;
/** Maximum time to wait, after an abort, for the upstream connection to close before reporting that it has not. */
const maxCloseMs = 2_000;

export interface PaceOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The provider answers already: if the answer is stopped before it is read, the provider must hear of it. Default false. */
  readonly isBegun?: boolean;
  /** Takes the events shown at one moment. Nothing more is shown before it settles. If it rejects, `pace` rejects. */
  readonly emit: (batch: PacedEvent[]) => Promise<void>;
}

/**
 * Gives an answer its rhythm: reads `batches` into a bounded queue and emits their text in chunks, with side events in their place.
 *
 * Until the first text or reasoning, the provider is asked without a pause; after that, only when the next chunk is due. Text that comes
 * in between waits in the connection and is read together. The last text event has `final: true`, exactly once in every case. On an
 * abort, everything that waits is first emitted without delay.
 */
export function pace(
  batches: AsyncIterable<ProviderEvent[]>,
  pacing: Pacing,
  options: PaceOptions,
): Promise<PaceResult> {
  return new PacedAnswer(batches, pacing, options).ended.promise;
}

/**
 * The life of a paced answer:
 *
 *     resting -batch-> showing -shown-> resting
 *     resting -last batch-> finishing -shown-> over
 *     resting -abort-> finishing -shown-> closing -source closed, or 2 s-> over
 *     showing -abort-> stopping -shown-> finishing
 *
 * `resting`: waits for the source or a due time. `stopping`: aborted while a batch is being shown; the waiting text follows it.
 * `finishing`: the last batch is being shown, and an abort changes nothing. A fault makes every state `over`.
 */
type AnswerLife = "resting" | "showing" | "stopping" | "finishing" | "closing" | "over";

/** Not an async function: it runs at every beat of every answer, and a step that waits for nothing costs no promise. */
class PacedAnswer {
  readonly ended = Promise.withResolvers<PaceResult>();
  readonly #queue = new TextQueue();
  readonly #source: PacedSource;
  readonly #pacing: Pacing;
  readonly #chunkChars: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #emit: PaceOptions["emit"];
  #life: AnswerLife = "resting";
  #abortedAtMs = 0;
  #nextTextAtMs = 0;
  #soonestTextAtMs = 0;
  #askAtMs = 0;
  #readBatches = 0;
  #isFull = false;
  #wakeAtMs = Infinity;
  #cancelWake: (() => void) | undefined;

  constructor(batches: AsyncIterable<ProviderEvent[]>, pacing: Pacing, options: PaceOptions) {
    const { clock, signal, isBegun = false, emit } = options;
    this.#pacing = pacing;
    this.#chunkChars = pacing.mode === "raw" ? maxRawChunkChars : pacing.chunkChars;
    this.#clock = clock;
    this.#signal = signal;
    this.#emit = emit;
    this.#source = new PacedSource(batches, { queue: this.#queue, clock, onChange: this.#step });
    if (signal.aborted && isBegun) this.#source.ask();
    if (signal.aborted) this.#onAbort();
    else {
      signal.addEventListener("abort", this.#onAbort, { once: true });
      this.#step();
    }
  }

  readonly #onAbort = (): void => {
    this.#abortedAtMs = this.#clock.now();
    this.#source.leave();
    if (this.#life === "resting") this.#showRest();
    else if (this.#life === "showing") this.#life = "stopping";
  };

  readonly #onWake = (): void => {
    this.#wakeAtMs = Infinity;
    this.#cancelWake = undefined;
    if (this.#life === "closing") this.#endAborted();
    else this.#step();
  };

  /** Handles a change of the source or a due time. */
  readonly #step = (): void => {
    try {
      if (this.#life === "resting") this.#goOn(this.#clock.now());
      else if (this.#life === "closing" && this.#source.closedAtMs !== undefined) this.#endAborted();
    } catch (fault) {
      this.#fail(fault);
    }
  };

  #goOn(nowMs: number): void {
    const queue = this.#queue;
    const source = this.#source;
    const { mode, maxLagMs } = this.#pacing;
    let batch: PacedEvent[] = queue.takeEvents();
    const { outcome } = source;
    const oldestMs = queue.oldestMs();
    const latestMs = (oldestMs ?? nowMs) + maxLagMs;
    // Text that arrived by then is shown even if its cluster may go on.
    const heldThroughMs = mode === "raw" ? Infinity : nowMs - maxLagMs;
    const showable = outcome === undefined ? queue.settled(heldThroughMs) : queue.chars;
    // The waiting text is held because its cluster may go on, until its time is up.
    const isHeld = showable < queue.chars && oldestMs !== undefined && oldestMs > heldThroughMs;
    const textAtMs =
      mode === "natural"
        ? Math.min(this.#nextTextAtMs, Math.max(this.#soonestTextAtMs, latestMs))
        : this.#nextTextAtMs;
    if (showable > 0 && nowMs >= textAtMs - timerGrainMs) batch = this.#takeText(batch, showable, nowMs);
    if (outcome !== undefined && queue.empty) {
      if (batch.at(-1)?.type !== "text") batch.push({ type: "text", text: "", final: true });
      this.#show(batch, "finishing", () => this.#end(outcome));
      return;
    }
    if (source.batches > this.#readBatches) {
      this.#readBatches = source.batches;
      // Ask with the next chunk, or earlier if a held cluster or new text would otherwise be too late.
      const heldAtMs = isHeld ? latestMs - beatMs : Infinity;
      const lateAtMs = mode === "natural" ? nowMs + Math.max(beatMs, maxLagMs) : Infinity;
      const askAtMs = source.sawText ? this.#nextTextAtMs : 0;
      // Reasoning has the rhythm of text: everything of an interval is read together.
      const restedAtMs = source.isReasoning ? nowMs + nextBeat(this.#pacing, [], nowMs).waitMs : 0;
      this.#askAtMs = Math.min(Math.max(askAtMs, restedAtMs), heldAtMs, lateAtMs);
    }
    this.#isFull = queue.size > (this.#isFull ? maxWaitingChars / 2 : maxWaitingChars);
    const mayAsk = outcome === undefined && source.isIdle && !this.#isFull;
    if (mayAsk && nowMs >= this.#askAtMs - timerGrainMs) source.ask();
    const checkpoint = queue.takeCheckpoint();
    if (checkpoint !== undefined) batch.push(checkpoint);
    if (batch.length > 0) {
      this.#show(batch, "showing", this.#onShown);
      return;
    }
    const heldUntilMs = isHeld ? Math.max(nowMs + 1, latestMs) : Infinity;
    const showAtMs = showable > 0 ? textAtMs : heldUntilMs;
    this.#wakeAt(Math.min(showAtMs, mayAsk && source.isIdle ? this.#askAtMs : Infinity));
  }

  /** Adds this beat's chunks after the events that precede them. */
  #takeText(before: PacedEvent[], showable: number, nowMs: number): PacedEvent[] {
    const queue = this.#queue;
    const isOver = this.#source.outcome !== undefined;
    const beat = nextBeat(this.#pacing, queue.arrivals(), nowMs);
    const waiting = queue.chars;
    let batch = before;
    let shown = 0;
    for (let count = 0; shown < showable && (count < beat.chunks || shown < beat.dueChars); count += 1) {
      if (count > 0) batch.push(...queue.takeEvents());
      const text = queue.takeChunk(this.#chunkChars, showable - shown);
      shown = waiting - queue.chars;
      const event: PacedEvent = { type: "text", text, final: isOver && queue.empty };
      // Nearly every batch is one chunk, and a list that grows would waste memory on it.
      if (batch.length === 0) batch = [event];
      else batch.push(event);
    }
    this.#nextTextAtMs = nowMs + beat.waitMs;
    this.#soonestTextAtMs = nowMs + beatMs;
    return batch;
  }

  #wakeAt(atMs: number): void {
    if (atMs === this.#wakeAtMs) return;
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wakeAtMs = atMs;
    if (atMs === Infinity) return;
    // The clock is read again: with the older `nowMs`, this timer would end at another moment than those of other lanes with the same
    // beat.
    const waitMs = Math.max(0, atMs - this.#clock.now());
    this.#cancelWake = this.#clock.callAfter(waitMs, this.#onWake);
  }

  #show(batch: PacedEvent[], life: "showing" | "finishing", onShown: () => void): void {
    this.#life = life;
    this.#emit(batch).then(onShown, this.#fail);
  }

  readonly #onShown = (): void => {
    if (this.#life === "stopping") {
      this.#showRest();
      return;
    }
    this.#life = "resting";
    this.#step();
  };

  /** Shows everything that waits, because the answer was stopped. */
  #showRest(): void {
    try {
      this.#show(flush(this.#queue, this.#chunkChars), "finishing", this.#onRestShown);
    } catch (fault) {
      this.#fail(fault);
    }
  }

  /** Waits up to 2 s for the connection to close. */
  readonly #onRestShown = (): void => {
    this.#life = "closing";
    if (this.#source.closedAtMs === undefined) this.#wakeAt(this.#clock.now() + maxCloseMs);
    else this.#endAborted();
  };

  #endAborted(): void {
    const { closedAtMs } = this.#source;
    const closedInMs = Math.max(0, (closedAtMs ?? this.#clock.now()) - this.#abortedAtMs);
    this.#end({ type: "aborted", reason: this.#signal.reason, closed: closedAtMs !== undefined, closedInMs });
  }

  #end(result: PaceResult): void {
    this.#release();
    this.ended.resolve(result);
  }

  readonly #fail = (fault: unknown): void => {
    this.#release();
    this.ended.reject(fault);
  };

  #release(): void {
    this.#life = "over";
    this.#cancelWake?.();
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#source.leave();
  }
}

/** Takes everything that waits at once, ending with the final text. */
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

/**
 * `natural`: one chunk an interval as long as every waiting text is shown at most `maxLagMs` after it came; otherwise the interval
 * shrinks for the most urgent text. `fixed`: always one chunk an interval. `raw`: one a beat. Except for `fixed`, waits of whole beats
 * end on a beat, so that all lanes are read, stored and sent together. `dueChars`: code units that cannot wait, in any number of chunks.
 */
function nextBeat(pacing: Pacing, arrivals: readonly Arrival[], nowMs: number) {
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
