import type { Clock } from "../../ports/clock.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { ResponsePlace, ResponsesMachine } from "./responses-machine.ts";

/** The answer is given up after this many connections in a row without an event: about a minute of waiting. */
const maxFruitlessTries = 12;
/** The wait before the next connection. It doubles after each connection without an event. */
const firstDelayMs = 250;
const maxDelayMs = 8_000;
/** The next connection is opened after this wait even if the vendor asks for a longer one. */
const maxAskedDelayMs = 30_000;

/** Faults of the connection only: the response goes on at the vendor without it. */
const connectionFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_disconnected",
  "upstream_truncated",
  "upstream_stalled",
]);

interface BackgroundStreamOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1): spreads the waits by up to a quarter, because a broken network breaks many streams at once. */
  readonly random: () => number;
  readonly machine: ResponsesMachine;
  readonly signal: AbortSignal;
  /** Starts the answer, if the machine has no place to continue from. */
  readonly create: () => AsyncIterable<ProviderEvent[]>;
  /** Reads the events after a place. */
  readonly continueFrom: (place: ResponsePlace) => AsyncIterable<ProviderEvent[]>;
}

/**
 * Reads a response that runs at the vendor with or without a connection. If the connection breaks, the next one continues after the last
 * event, a bounded number of times in a row. If the response is no longer available, throws the error that broke its stream, or
 * `interrupted` if another process was reading it.
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
      yield* place === undefined ? create() : continueFrom(place);
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
      if (fruitless === maxFruitlessTries) throw givenUp(broken, error);
      await clock.sleep(delayBefore(fruitless, error, random), signal);
      signal.throwIfAborted();
    }
  }
}

/** The client is told why the stream broke; the reason why it could not be continued is for the log. */
function givenUp(broken: TroupeError | undefined, cause: TroupeError): TroupeError {
  return new TroupeError(broken?.code ?? "upstream_disconnected", { cause });
}

function delayBefore(fruitless: number, { retryAfterMs = 0 }: TroupeError, random: () => number): number {
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** fruitless) * (1 - random() / 4);
  return Math.max(delayMs, Math.min(retryAfterMs, maxAskedDelayMs));
}
