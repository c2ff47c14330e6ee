import { type PacedEvent, type PaceOptions, type PaceResult, pace } from "../../src/chat/pacing/pace.ts";
import type { ProviderEvent } from "../../src/ports/provider.ts";
import type { Pacing } from "../../src/ports/turn-request.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { readEmitted } from "./read-emitted.ts";

/** A batch that a provider delivers `afterMs` after the previous one. */
export interface Delivery {
  readonly afterMs: number;
  readonly events: readonly ProviderEvent[];
}

export interface ShownEvent {
  /** Virtual time since the start. */
  readonly atMs: number;
  readonly event: PacedEvent;
  /** Index of the yielded batch that held it, from 0. */
  readonly batch: number;
}

export interface PacedRun {
  readonly shown: readonly ShownEvent[];
  readonly result: PaceResult;
}

export const endEvent: ProviderEvent = { type: "end", finishReason: "stop", model: "m" };

export const naturalPacing: Pacing = { mode: "natural", chunkChars: 50, intervalMs: 100, maxLagMs: 400 };
export const fixedPacing: Pacing = { ...naturalPacing, mode: "fixed" };
export const rawPacing: Pacing = { ...naturalPacing, mode: "raw" };

/**
 * A provider whose batches arrive in virtual time even if nothing asks for them, as over a connection. A late reader gets
 * everything that has arrived. It ends with the last batch and ignores the signal.
 */
async function* deliver(clock: TestClock, deliveries: readonly Delivery[]) {
  let comesAtMs = clock.now();
  let came: ProviderEvent[] = [];
  for (const { afterMs, events } of deliveries) {
    comesAtMs += afterMs;
    if (comesAtMs > clock.now()) {
      if (came.length > 0) yield came;
      came = [];
      if (comesAtMs > clock.now()) await clock.sleep(comesAtMs - clock.now());
    }
    came.push(...events);
  }
  yield came;
}

/** Deliveries of texts; the last one brings the end too. */
export function textDeliveries(
  texts: readonly string[],
  gapsMs: readonly number[],
  end: readonly ProviderEvent[] = [endEvent],
): Delivery[] {
  return texts.map((text, index) => ({
    afterMs: gapsMs[index] ?? 0,
    events: [{ type: "text", text }, ...(index === texts.length - 1 ? end : [])],
  }));
}

/** Runs everything to its end in virtual time, with a reader that is always ready. */
export async function runPaced(
  pacing: Pacing,
  source: readonly Delivery[] | ((clock: TestClock) => AsyncIterable<ProviderEvent[]>),
  { signal = new AbortController().signal, clock = createTestClock() } = {},
): Promise<PacedRun> {
  const startMs = clock.now();
  const batches = typeof source === "function" ? source(clock) : deliver(clock, source);
  const shown: ShownEvent[] = [];
  let batch = 0;
  let ended = false;
  const emit = async (events: readonly PacedEvent[]) => {
    for (const event of events) shown.push({ atMs: clock.now() - startMs, event, batch });
    batch += 1;
  };
  const reading = pace(batches, pacing, { clock, signal, emit }).finally(() => {
    ended = true;
  });
  await untilEnded(clock, () => ended);
  return { shown, result: await reading };
}

/** A paced answer whose reader asks for every batch. Asking for the next batch takes the one before. */
export function readPaced(
  source: AsyncIterable<ProviderEvent[]>,
  pacing: Pacing,
  options: Omit<PaceOptions, "emit">,
): AsyncGenerator<PacedEvent[], PaceResult> {
  return readEmitted((emit) => pace(source, pacing, { ...options, emit }));
}

/** Lets virtual time pass until `isOver` returns true. */
export async function untilEnded(clock: TestClock, isOver: () => boolean): Promise<void> {
  for (let minutes = 0; !isOver(); minutes += 1) {
    if (minutes > 10_000) throw new Error("it does not end");
    await clock.advance(60_000);
  }
}

/** Only the text events. */
export function textsOf({ shown }: Pick<PacedRun, "shown">) {
  return shown.flatMap(({ atMs, event, batch }) =>
    event.type === "text" ? [{ atMs, batch, ...event }] : [],
  );
}

export function joined(run: Pick<PacedRun, "shown">): string {
  return textsOf(run)
    .map(({ text }) => text)
    .join("");
}
