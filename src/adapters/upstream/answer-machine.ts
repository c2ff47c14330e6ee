import type { JsonObject } from "../../ports/json.ts";
import type { ProviderEvent, Usage } from "../../ports/provider.ts";
import type { DeltaKind, EventFormat } from "./event-format.ts";
import type { StreamEvent } from "./event-stream-parser.ts";

/** The text that an event has extended. */
export interface OpenText {
  readonly kind: DeltaKind;
  /** Its events do not say which text they extend. After any other event, an equal event may extend another text. */
  readonly isLoose: boolean;
  /** It is shown, and not only held for the response object. */
  readonly isShown: boolean;
  /** Equals accepting events that differ from that event only in their text; `text` is the sum of theirs. */
  append(text: string): void;
}

/**
 * One answer in a vendor's format: it turns the events of a stream into provider events. `AnswerStream` reads the bytes and calls it.
 *
 * A vendor's failure is thrown as a `TroupeError` by the method that finds it, also inside an answer with status 200.
 */
export interface AnswerMachine {
  readonly format: EventFormat;
  /** No event was accepted yet. */
  readonly silent: boolean;
  /** The answer is complete. Nothing after it is read, and its connection may serve another call. */
  readonly ended: boolean;
  /** Set if the last accepted event only extended a text. Events like it are then read without being parsed. */
  readonly openText: OpenText | undefined;
  /** The place of a checkpoint after the last event. It is set only if another connection can continue the answer from there. */
  readonly place?: JsonObject | undefined;
  /** Accepts one event. */
  accept(event: StreamEvent): ProviderEvent[];
  /** Accepts a body that is JSON instead of a stream. Throws `upstream_invalid` if it is neither an answer nor an error. */
  acceptWhole(body: string): ProviderEvent[];
  /**
   * Ends the body. Throws `upstream_empty` or `upstream_truncated` if the answer is not complete; otherwise `ended` is true from now on.
   * A format without an event for the end returns its last events here.
   */
  finish(): ProviderEvent[];
}

/** The counts of one answer as its vendor tells them, of which any may be missing or no count. */
interface ToldCounts {
  /** Everything that was read, from the cache or not. */
  readonly input: unknown;
  readonly cached?: unknown;
  readonly cacheWrite?: unknown;
  /** Everything that was written, reasoning included. */
  readonly output: unknown;
  readonly reasoning?: unknown;
}

/**
 * The usage that a vendor tells; `undefined` without both sides. A part that is larger than its whole is left out, because no price fits it.
 */
export function toldUsage({ input, cached, cacheWrite, output, reasoning }: ToldCounts): Usage | undefined {
  if (!isCount(input) || !isCount(output)) return undefined;
  const read = isCount(cached) && cached <= input ? cached : undefined;
  const written = isCount(cacheWrite) && cacheWrite + (read ?? 0) <= input ? cacheWrite : undefined;
  const thought = isCount(reasoning) && reasoning <= output ? reasoning : undefined;
  return {
    inputTokens: input,
    ...(read === undefined ? {} : { cachedTokens: read }),
    ...(written === undefined ? {} : { cacheWriteTokens: written }),
    outputTokens: output,
    ...(thought === undefined ? {} : { reasoningTokens: thought }),
    totalTokens: input + output,
    estimated: false,
  };
}

/** Whether a value is a number of tokens. */
export function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
