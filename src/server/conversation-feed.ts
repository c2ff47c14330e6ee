import type { LiveTurn } from "../ports/peers.ts";

type Listener = (turn: LiveTurn) => void;

/** Tells followers of a conversation about each turn that starts in it. */
export function createConversationFeed() {
  const listeners = new Map<string, Set<Listener>>();
  const keyOf = (owner: string, conversationId: string) => `${owner}\n${conversationId}`;

  return {
    /** Open subscriptions. */
    get count(): number {
      let open = 0;
      for (const set of listeners.values()) open += set.size;
      return open;
    },
    announce(turn: LiveTurn): void {
      const { owner, conversationId } = turn.record;
      if (conversationId === undefined) return;
      for (const listener of listeners.get(keyOf(owner, conversationId)) ?? []) listener(turn);
    },
    /** The returned function ends the subscription. */
    subscribe(owner: string, conversationId: string, listener: Listener): () => void {
      const key = keyOf(owner, conversationId);
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
      };
    },
  };
}
