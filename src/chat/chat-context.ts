import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { ProviderCatalog } from "../ports/provider-catalog.ts";
import type { TurnBudget } from "../ports/turn-budget.ts";
import type { TurnStep } from "../ports/turn-event.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { RetryPolicy } from "./retry.ts";

/** What chat code works with; the same for every turn. */
export interface ChatDependencies {
  readonly clock: Clock;
  readonly providers: ProviderCatalog;
  readonly personas: PersonaStore;
  readonly conversations: ConversationStore;
  readonly vendorIds: VendorIds;
  readonly retry: RetryPolicy;
  /** Digest of a text, as hexadecimal. */
  readonly digest: (text: string) => string;
  /** Max characters of earlier messages that a persona is given; whole messages, newest first. */
  readonly contextChars: number;
  /**
   * An answer with more text than this ends with `answer_too_large`, and so does one that comes to four times as much with reasoning, tools
   * and the vendor's response objects.
   */
  readonly mostAnswerChars: number;
}

/** How one turn is stopped. */
export interface TurnSignals {
  /** Aborts with a `Cancellation` when the client stops the turn, or with the `TroupeError` that ends it. */
  readonly signal: AbortSignal;
  /** The same for one lane; follows `signal`. */
  laneSignal(lane: string): AbortSignal;
}

/**
 * Takes what a voice of a turn has said, in its order; settles when that is kept. Nobody goes on before it has settled, and where
 * it rejects nothing more of the turn is kept.
 */
export type Emit = (steps: readonly TurnStep[]) => Promise<void>;

/** What one turn is given while it runs. */
export interface TurnContext extends TurnSignals {
  /** What its calls are paid from. */
  readonly budget: TurnBudget;
  /** Hears of each lane whose call's body is held no more: its provider has begun to answer, or will not be asked again. */
  readonly onSent: () => void;
  /** The log has no room for more of the answer, which ends with `answer_too_large` then. */
  readonly isFull: () => boolean;
  readonly emit: Emit;
}

/** The reason of an abort that a client asked for. */
export class Cancellation extends Error {
  override readonly name = "Cancellation";
}
