/** One message of a conversation's tree. */
export interface StoredMessage {
  readonly id: string;
  /** The message this one follows; absent for the first. */
  readonly parentId?: string;
  readonly role: "user" | "assistant";
  /** Who spoke, for `assistant`. */
  readonly personaId?: string;
  /** The name as it was shown then. */
  readonly personaName?: string;
  /** The request that it came with. */
  readonly requestId?: string;
  readonly text: string;
  /** Anything but `completed` marks a partial text. */
  readonly status: "completed" | "failed" | "cancelled";
}

export type NewMessage = Omit<StoredMessage, "id">;

/**
 * Conversations: trees of messages with a head, which is where the next turn goes on.
 *
 * Contract: every call names the owner; another owner's conversation answers exactly like one that does not exist
 * (`undefined`). `append` stores all messages or none, each the child of the one before it, the first a child of `parentId`,
 * and returns their ids in order. `moveHead` makes a message the head. `path` is root to message.
 */
export interface ConversationStore {
  create(owner: string): Promise<string>;
  head(owner: string, conversationId: string): Promise<{ readonly messageId?: string } | undefined>;
  path(
    owner: string,
    conversationId: string,
    messageId: string,
  ): Promise<readonly StoredMessage[] | undefined>;
  /** The messages that came with a request, questions first; empty where there are none or no such conversation. */
  ofRequest(owner: string, conversationId: string, requestId: string): Promise<readonly StoredMessage[]>;
  append(
    owner: string,
    conversationId: string,
    parentId: string | undefined,
    messages: readonly Omit<NewMessage, "parentId">[],
  ): Promise<readonly string[] | undefined>;
  moveHead(owner: string, conversationId: string, messageId: string): Promise<void>;
}
