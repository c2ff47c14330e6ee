import type { Clock } from "../ports/clock.ts";
import type { ProviderEvent } from "../ports/provider.ts";
import type { TextQueue } from "./text-queue.ts";

export type ProviderEnd = Extract<ProviderEvent, { type: "end" }>;

/** How a source ended: with its end, or with an error. */
export type SourceOutcome = { readonly end: ProviderEnd } | { readonly error: unknown };

/** What comes sooner than this after it was asked for was there already. */
const promptMs = 1;

/**
 * A provider's stream that is asked for one batch at a time and only when told, so that what nobody is ready for waits where
 * it is. What comes goes into `queue`; `onChange` hears that something came or that it is over.
 */
export function createPacedSource(
  stream: AsyncIterable<ProviderEvent[]>,
  { queue, clock, onChange }: { queue: TextQueue; clock: Clock; onChange: () => void },
) {
  const iterator = stream[Symbol.asyncIterator]();
  const closed = Promise.withResolvers<void>();
  let isAsking = false;
  let isLeft = false;
  let sawText = false;
  let batches = 0;
  let askedAtMs = 0;
  let lastCameAtMs = 0;
  let closedAtMs: number | undefined;
  let outcome: SourceOutcome | undefined;

  function conclude(how: SourceOutcome): void {
    outcome ??= how;
    closedAtMs ??= clock.now();
    closed.resolve();
    onChange();
  }

  /** Ends the iteration; its own clean-up, such as closing a connection, is waited for. */
  function endIteration(): void {
    const returned = iterator.return?.() ?? Promise.resolve();
    returned.then(
      () => conclude({ error: new Error("The provider was left before its end.") }),
      (error: unknown) => conclude({ error }),
    );
  }

  function accept(batch: readonly ProviderEvent[]): void {
    const nowMs = clock.now();
    // What was there when it was asked for may have come right behind what was read before, and is shown in time for that.
    const cameAtMs = sawText && nowMs - askedAtMs < promptMs ? lastCameAtMs : nowMs;
    lastCameAtMs = nowMs;
    batches += 1;
    for (const event of batch) {
      if (event.type === "text") {
        sawText ||= event.text !== "";
        queue.pushText(event.text, cameAtMs);
      } else if (event.type === "end") {
        outcome = { end: event };
        endIteration();
        break;
      } else {
        queue.pushEvent(event);
      }
    }
    onChange();
  }

  function settle(step: IteratorResult<ProviderEvent[]>): void {
    isAsking = false;
    if (step.done === true) {
      conclude({ error: new Error("The provider ended without an end.") });
      return;
    }
    accept(step.value);
    if (isLeft && outcome === undefined) endIteration();
  }

  return {
    /** Whether a batch was asked for and has not come. */
    get isAsking(): boolean {
      return isAsking;
    },
    /** How many batches have come. */
    get batches(): number {
      return batches;
    },
    /** Whether some text has come. */
    get sawText(): boolean {
      return sawText;
    },
    get outcome(): SourceOutcome | undefined {
      return outcome;
    },
    /** When everything that belongs to the stream was closed. */
    get closedAtMs(): number | undefined {
      return closedAtMs;
    },
    closed: closed.promise,
    ask(): void {
      isAsking = true;
      askedAtMs = clock.now();
      iterator.next().then(settle, (error: unknown) => {
        isAsking = false;
        conclude({ error });
      });
    },
    /** Asks for nothing more and ends the stream, as soon as it gives what it was asked for. */
    leave(): void {
      if (isLeft) return;
      isLeft = true;
      if (!isAsking && outcome === undefined) endIteration();
    },
  };
}
