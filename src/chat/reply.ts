import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";

/** How an answer ended, where it did not fail. */
export type ReplyEnd = Extract<TerminalEvent, { type: "answer" }>;

/**
 * An answer being made: batches of events and checkpoints, then how it ended. It never yields a terminal event itself: it returns one, or
 * throws the error that ends the turn, and the turn's wrapper writes it.
 */
export type Reply = AsyncGenerator<TurnStep[], ReplyEnd>;
