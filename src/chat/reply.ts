import type { TerminalEvent } from "../ports/turn-event.ts";
import type { TurnContext } from "./chat-context.ts";

/** The end of an answer that did not fail. */
export type ReplyEnd = Extract<TerminalEvent, { type: "answer" }>;

/**
 * Makes an answer: emits events and checkpoints, and settles with its end. It never emits a terminal event itself. It returns one or
 * throws the error that ends the turn, and `runTurn` writes it.
 */
export type Reply = (context: TurnContext) => Promise<ReplyEnd>;
