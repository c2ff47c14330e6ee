import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { Turns } from "./turns.ts";

export interface ConversationDeletionOptions {
  readonly conversations: Pick<ConversationStore, "remove">;
  readonly logs: Pick<TurnLogStore, "forget">;
  readonly turns: Pick<Turns, "endIn">;
  readonly clock: Clock;
  /** Hears why turns that took too long to end have left something. */
  readonly onFault: (fault: unknown) => void;
}

/** Longer than the end of any upstream call may take: a response in the background is cancelled within 10 s. */
const patienceMs = 15_000;

/** Deletes a conversation with all that was said in it; `false` where there is none, whose rest goes all the same. */
export type DeleteConversation = (owner: string, conversationId: string) => Promise<boolean>;

/**
 * The conversation goes first, so that no turn begins in it any more; then the turns that run are stopped, and when they have ended their
 * logs and answers go. One that does not end in time is not waited for: what it leaves goes when it ends.
 */
export function createConversationDeletion({
  conversations,
  logs,
  turns,
  clock,
  onFault,
}: ConversationDeletionOptions): DeleteConversation {
  return async (owner, conversationId) => {
    const removed = await conversations.remove(owner, conversationId);
    const ended = turns.endIn(owner, conversationId);
    const patience = new AbortController();
    const isOver = await Promise.race([
      ended.then(() => true),
      clock.sleep(patienceMs, patience.signal).then(() => false),
    ]).finally(() => patience.abort());
    // Even where there was none any more: a server may have stopped between the two.
    await logs.forget(owner, conversationId);
    if (!isOver) ended.then(() => logs.forget(owner, conversationId)).catch(onFault);
    return removed;
  };
}
