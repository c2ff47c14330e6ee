import type { ProviderEvent, Usage } from "../ports/provider.ts";
import type { CallBudget } from "../ports/turn-budget.ts";
import { estimatedUsage } from "../ports/usage-store.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
import { linkAbort } from "./linked-abort.ts";
import { readAhead } from "./read-ahead.ts";
import { estimateTokens, utf8Bytes } from "./usage.ts";

export interface MeteredCall {
  readonly call: CallBudget;
  /** Estimated. */
  readonly inputTokens: number;
  /** The model that was asked for. */
  readonly model: string;
  readonly signal: AbortSignal;
  /** What another process has shown of the answer. */
  readonly begunText: string;
}

/** A call of a provider while it is counted. */
export interface Meter {
  /** What the provider says, read once; ends with a `budget` of its own where the call is stopped. */
  readonly events: AsyncIterable<ProviderEvent[]>;
  /** The provider's own figures where it gave them, else what came so far, estimated. */
  usage(): Usage;
  /** The call was stopped, since its budget was used up. */
  isCut(): boolean;
}

/** With these a call was turned away before a model read it, which no vendor charges for. */
const turnedAway: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "upstream_auth",
  "upstream_invalid_request",
  "model_not_found",
  "context_length_exceeded",
  "previous_response_not_found",
  "rate_limited",
  "quota_exceeded",
  "upstream_unreachable",
]);

/**
 * Counts what a call uses while it streams, and stops it upstream as soon as its budget does not cover more. What came by then
 * was paid for and goes on to the reader.
 */
export function createMeter(
  open: (signal: AbortSignal) => AsyncIterable<ProviderEvent[]>,
  { call, inputTokens, model, signal, begunText }: MeteredCall,
): Meter {
  let outputBytes = utf8Bytes(begunText);
  let known: Usage | undefined;
  let began = false;
  let wasTurnedAway = false;
  let isCut = false;

  const usage = () =>
    known ??
    (wasTurnedAway ? estimatedUsage(0, 0) : estimatedUsage(inputTokens, estimateTokens(outputBytes)));

  async function* read(): AsyncGenerator<ProviderEvent[]> {
    using stop = linkAbort(signal);
    try {
      for await (const batch of open(stop.signal)) {
        began ||= batch.some(({ type }) => type !== "retrying");
        outputBytes += utf8Bytes(batch.map(outputOf).join(""));
        const end = batch.at(-1);
        if (end?.type === "end") {
          known = end.usage;
          yield [...batch.slice(0, -1), cutByLimit(end, call)];
          return;
        }
        // Of what is covered already nobody is asked, so nothing is awaited.
        const isCovered = call.cover(estimateTokens(outputBytes));
        isCut = !(isCovered === true || (await isCovered));
        if (isCut) stop.abort(new TroupeError("budget_exhausted"));
        yield batch;
        if (isCut) break;
      }
    } catch (thrown) {
      wasTurnedAway =
        !began && thrown instanceof TroupeError && (thrown.safeToRepeat || turnedAway.has(thrown.code));
      throw thrown;
    } finally {
      call.settle(usage());
    }
    if (isCut) yield [{ type: "end", finishReason: "budget", model }];
  }

  return {
    // The rhythm may ask for the next batch much later than it came, and a client chooses the rhythm.
    events: call.isLimited ? readAhead(read()) : read(),
    usage,
    isCut: () => isCut,
  };
}

/** What of an event a model has written. */
function outputOf(event: ProviderEvent): string {
  if (event.type === "text" || event.type === "reasoning") return event.text;
  return event.type === "tool" && event.payload !== undefined ? JSON.stringify(event.payload) : "";
}

/** An answer that ends at a limit that a budget has set ends for the budget's sake. */
function cutByLimit(
  end: Extract<ProviderEvent, { type: "end" }>,
  { mostOutputTokens }: CallBudget,
): ProviderEvent {
  return mostOutputTokens !== undefined && end.finishReason === "length"
    ? { ...end, finishReason: "budget" }
    : end;
}
