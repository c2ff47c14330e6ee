interface Known {
  readonly conversationId: string;
  readonly connection: number;
  readonly ask: number;
}

/**
 * Keeps a client in its conversation over reconnects. A request that names no conversation continues the connection's own one. A new
 * connection has none, so the earlier connection's conversation is named instead. Connections are counted from 1.
 */
interface OwnConversation {
  /**
   * The data to send on this connection. Call `learn` with the conversation that the response names. Call `forget` if the server does not
   * know the conversation that was named here.
   */
  place<Data extends object>(
    data: Data,
    connection: number,
  ): { readonly data: Data; readonly learn?: (id: string) => void; readonly forget?: () => void };
}

export function createOwnConversation(): OwnConversation {
  let known: Known | undefined;
  let asks = 0;
  return {
    place(data, connection) {
      const named = "conversation_id" in data ? data.conversation_id : undefined;
      if (typeof named === "string" && named !== "new") return { data };
      asks += 1;
      const ask = asks;
      const learn = (conversationId: string) => {
        // Answers may end in a different order than their questions; the latest question decides which conversation is current.
        if (known === undefined || known.ask < ask) known = { conversationId, connection, ask };
      };
      if (named === "new" || known === undefined || known.connection === connection) return { data, learn };
      const { conversationId } = known;
      const forget = () => {
        if (known?.conversationId === conversationId) known = undefined;
      };
      return { data: { ...data, conversation_id: conversationId }, forget };
    },
  };
}
