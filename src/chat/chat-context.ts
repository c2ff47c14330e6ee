import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { OutputChecker } from "../ports/output-checker.ts";
import type { PersonaStore } from "../ports/persona.ts";
import type { Prices } from "../ports/prices.ts";
import type { ProviderCatalog } from "../ports/provider.ts";
import type { KeptResponse, ResponseStore } from "../ports/response-store.ts";
import type { TurnBudget } from "../ports/turn-budget.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { VendorIds } from "../ports/vendor-ids.ts";
import type { RetryPolicy } from "./retry.ts";

/** The ports and limits of the chat code; the same for every turn. */
export interface ChatDependencies {
  readonly clock: Clock;
  readonly providers: ProviderCatalog;
  readonly personas: PersonaStore;
  readonly conversations: ConversationStore;
  readonly vendorIds: VendorIds;
  readonly responses: ResponseStore;
  readonly outputs: OutputChecker;
  readonly retry: RetryPolicy;
  readonly prices: Prices;
  /** Digest of a text, as hexadecimal. */
  readonly digest: (text: string) => string;
  /** Maximum characters of earlier messages that a persona gets; whole messages, newest first. */
  readonly contextChars: number;
  /**
   * An answer with more text than this ends with `answer_too_large`. So does one that exceeds four times as much together with reasoning,
   * tools and the vendor's response objects.
   */
  readonly maxAnswerChars: number;
}

/** The signals that stop one turn. */
export interface TurnSignals {
  /** Aborts with a `Cancellation` when the client stops the turn, or with the `TroupeError` that ends it. */
  readonly signal: AbortSignal;
  /** The same for one lane; also aborts with `signal`. */
  laneSignal(key: string): AbortSignal;
}

/**
 * Appends steps of a voice to the log, in order; settles once they are stored. The voice must wait for that. If it rejects, nothing more
 * of the turn is stored.
 */
export type Emit = (steps: readonly TurnStep[]) => Promise<void>;

/** The environment of one running turn. */
export interface TurnContext extends TurnSignals {
  /** The budget that pays for its calls. */
  readonly budget: TurnBudget;
  /** Called for each lane once its call's body is no longer held: its provider has started to answer, or will not be asked again. */
  readonly onSent: () => void;
  /** Called before the end of an answer that later requests can continue. It is stored with the end. */
  readonly onResponse: (response: KeptResponse) => void;
  /** The log has no room for more of the answer, which then ends with `answer_too_large`. */
  readonly isFull: () => boolean;
  readonly emit: Emit;
  /**
   * Puts steps before the next ones, or before the turn's end, in the same append. One of them must follow at once. Throws if nothing of the
   * turn is stored any more. Absent: `emit` is to be used.
   */
  readonly emitWithNext?: ((steps: readonly TurnStep[]) => void) | undefined;
}

/** The abort reason when a client stops a turn or a lane. */
export class Cancellation extends Error {
  override readonly name = "Cancellation";
}

/** The end of an answer that did not fail. */
export type ReplyEnd = Extract<TerminalEvent, { type: "answer" }>;

/**
 * Makes an answer: emits events and checkpoints, and settles with its end. It never emits a terminal event itself. It returns one or
 * throws the error that ends the turn, and `runTurn` writes it.
 */
export type Reply = (context: TurnContext) => Promise<ReplyEnd>;
