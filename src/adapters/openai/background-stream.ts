import type { Clock } from "../../ports/clock.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { ResponsePlace, ResponsesMachine } from "./responses-machine.ts";

/** Connections in a row that may bring nothing before the answer is given up: about a minute of waiting. */
const mostFruitlessTries = 12;
/** The wait before the next connection; it doubles while connections bring nothing. */
const firstDelayMs = 250;
const longestDelayMs = 8_000;
/** A vendor that asks for a longer pause is asked again after this one all the same. */
const longestAskedDelayMs = 30_000;

/** What ends a connection and says nothing of the answer, which goes on without it. */
const connectionFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_disconnected",
  "upstream_truncated",
  "upstream_stalled",
]);

export interface BackgroundStreamOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1): spreads the waits by up to a quarter, since a network that breaks does so for many at once. */
  readonly random: () => number;
  readonly machine: ResponsesMachine;
  readonly signal: AbortSignal;
  /** Begins the answer, where the machine has no place to go on from. */
  readonly create: () => AsyncIterable<ProviderEvent[]>;
  /** Reads what comes behind a place. */
  readonly continueFrom: (place: ResponsePlace) => AsyncIterable<ProviderEvent[]>;
}

/**
 * Reads a response that runs at the vendor whether somebody is connected or not: where the connection breaks, another one goes on
 * behind the last event, a bounded number of times in a row. Every batch ends with the checkpoint that stands behind it.
 * Where the response cannot be had any more, ends as what broke its stream: `interrupted` where that was another process's.
 */
export async function* readBackgroundStream({
  clock,
  random,
  machine,
  signal,
  create,
  continueFrom,
}: BackgroundStreamOptions): AsyncGenerator<ProviderEvent[]> {
  let broken = machine.place === undefined ? undefined : new TroupeError("interrupted");
  let fruitless = 0;
  for (;;) {
    const { place } = machine;
    try {
      for await (const events of place === undefined ? create() : continueFrom(place))
        yield withCheckpoint(events, machine);
      return;
    } catch (thrown) {
      signal.throwIfAborted();
      const error = TroupeError.from(thrown);
      if (machine.place === undefined) throw error;
      const cameFurther = machine.place.sequenceNumber !== place?.sequenceNumber;
      const isRefused = broken !== undefined && !cameFurther;
      if (!connectionFaults.has(error.code) && !(isRefused && error.safeToRepeat))
        throw isRefused ? givenUp(broken, error) : error;
      fruitless = cameFurther ? 0 : fruitless + 1;
      if (broken === undefined || cameFurther) broken = error;
      if (fruitless === mostFruitlessTries) throw givenUp(broken, error);
      await clock.sleep(delayBefore(fruitless, error, random), signal);
      signal.throwIfAborted();
    }
  }
}

function withCheckpoint(events: ProviderEvent[], { ended, place }: ResponsesMachine): ProviderEvent[] {
  return ended || place === undefined ? events : [...events, { type: "checkpoint", place }];
}

/** Its client lost the answer when it broke; why it could not be had again is for the log. */
function givenUp(broken: TroupeError | undefined, cause: TroupeError): TroupeError {
  return new TroupeError(broken?.code ?? "upstream_disconnected", { cause });
}

function delayBefore(fruitless: number, { retryAfterMs = 0 }: TroupeError, random: () => number): number {
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** fruitless) * (1 - random() / 4);
  return Math.max(delayMs, Math.min(retryAfterMs, longestAskedDelayMs));
}
