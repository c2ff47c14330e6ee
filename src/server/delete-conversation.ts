import type { Clock } from "../ports/clock.ts";
import type { ConversationStore } from "../ports/conversation-store.ts";
import { faultsOf, type Observer } from "../ports/observer.ts";
import type { TurnLogStore } from "../ports/turn-log.ts";
import type { Turns } from "./turns.ts";

interface ConversationDeletionOptions {
  readonly conversations: Pick<ConversationStore, "remove">;
  readonly logs: Pick<TurnLogStore, "forget">;
  readonly turns: Pick<Turns, "endIn">;
  readonly clock: Clock;
  /** Is told if turns that took too long to end could not be cleaned up. */
  readonly observer: Observer;
}

/** Longer than any upstream call takes to end: a response in the background is cancelled within 10 s. */
const patienceMs = 15_000;

/** Deletes a conversation with everything in it; `false` if it does not exist, though leftovers are deleted all the same. */
type DeleteConversation = (owner: string, conversationId: string) => Promise<boolean>;

/**
 * Removes the conversation first, so that no new turn starts in it. Then stops its running turns and, once they have ended, deletes their
 * logs and answers. A turn that takes too long is not awaited: its remains are deleted when it ends.
 */
export function createConversationDeletion({
  conversations,
  logs,
  turns,
  clock,
  observer,
}: ConversationDeletionOptions): DeleteConversation {
  return async (owner, conversationId) => {
    const removed = await conversations.remove(owner, conversationId);
    const ended = turns.endIn(owner, conversationId);
    const patience = new AbortController();
    let isOver = true;
    try {
      isOver = await Promise.race([
        ended.then(() => true),
        clock.sleep(patienceMs, patience.signal).then(() => false),
      ]);
    } finally {
      patience.abort();
      // Also if the turns elsewhere could not be asked, or if the conversation was already gone: a server may have stopped between the steps.
      await logs.forget(owner, conversationId);
    }
    if (!isOver) ended.then(() => logs.forget(owner, conversationId)).catch(faultsOf(observer, "connection"));
    return removed;
  };
}
