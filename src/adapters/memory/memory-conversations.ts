import type { Clock } from "../../ports/clock.ts";
import type { ConversationStore, StoredMessage } from "../../ports/conversation-store.ts";

interface Conversation {
  readonly owner: string;
  readonly messages: Map<string, StoredMessage>;
  headId?: string;
  bytes: number;
}

/** Rough size of a message or a conversation beside its text. */
const recordBytes = 300;

/** Conversations in memory; beyond `mostBytes` (estimated) those used longest ago are forgotten as a whole. */
export function createMemoryConversations({
  clock,
  mostBytes,
}: {
  clock: Clock;
  mostBytes: number;
}): ConversationStore {
  /** In the order of their last use. */
  const conversations = new Map<string, Conversation>();
  let bytes = 0;

  function use(owner: string, id: string): Conversation | undefined {
    const conversation = conversations.get(id);
    if (conversation === undefined || conversation.owner !== owner) return undefined;
    conversations.delete(id);
    conversations.set(id, conversation);
    return conversation;
  }

  function grow(conversation: Conversation, added: number): void {
    conversation.bytes += added;
    bytes += added;
    for (const [id, oldest] of conversations) {
      if (bytes <= mostBytes || oldest === conversation) return;
      conversations.delete(id);
      bytes -= oldest.bytes;
    }
  }

  return {
    async create(owner) {
      const id = clock.newId();
      const conversation: Conversation = { owner, messages: new Map(), bytes: 0 };
      conversations.set(id, conversation);
      grow(conversation, recordBytes);
      return id;
    },
    async head(owner, id) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      return conversation.headId === undefined ? {} : { messageId: conversation.headId };
    },
    async path(owner, id, messageId) {
      const conversation = use(owner, id);
      const path: StoredMessage[] = [];
      let message = conversation?.messages.get(messageId);
      if (message === undefined) return undefined;
      while (message !== undefined) {
        path.push(message);
        message = message.parentId === undefined ? undefined : conversation?.messages.get(message.parentId);
      }
      return path.reverse();
    },
    async ofRequest(owner, id, requestId) {
      const messages = [...(use(owner, id)?.messages.values() ?? [])];
      return messages.filter((message) => message.requestId === requestId);
    },
    async append(owner, id, parentId, messages) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      if (parentId !== undefined && !conversation.messages.has(parentId)) return undefined;
      let parent = parentId;
      const ids: string[] = [];
      for (const message of messages) {
        const messageId = clock.newId();
        conversation.messages.set(messageId, {
          ...message,
          id: messageId,
          ...(parent === undefined ? {} : { parentId: parent }),
        });
        parent = messageId;
        ids.push(messageId);
        grow(conversation, recordBytes + 2 * message.text.length);
      }
      return ids;
    },
    async moveHead(owner, id, messageId) {
      const conversation = use(owner, id);
      if (conversation?.messages.has(messageId) === true) conversation.headId = messageId;
    },
  };
}
