import type { TerminalEvent } from "../ports/turn-event.ts";
import type { TurnContext } from "./chat-context.ts";

/** How an answer ended, where it did not fail. */
export type ReplyEnd = Extract<TerminalEvent, { type: "answer" }>;

/**
 * Makes an answer: emits events and checkpoints, and settles with how it ended. It never emits a terminal event itself: it returns one,
 * or throws the error that ends the turn, and the turn's wrapper writes it.
 */
export type Reply = (context: TurnContext) => Promise<ReplyEnd>;
