import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationStore,
  type ConversationSummary,
  charsOf,
  type NewMessage,
  readPagePlace,
  type StoredMessage,
} from "../../ports/conversation-store.ts";
import { titleOf } from "../../ports/search-terms.ts";
import type { QuestionStore } from "../turn-log/memory-turn-logs.ts";
import { type KeptMessage, pageOf, pathTo } from "./kept-messages.ts";
import { createMessageSearch } from "./search-messages.ts";

interface Conversation {
  readonly id: string;
  readonly owner: string;
  readonly messages: Map<string, KeptMessage>;
  /** The same messages, oldest first. */
  readonly inOrder: KeptMessage[];
  /** The number of older messages that were forgotten; places in a reading count them. */
  forgotten: number;
  readonly createdAtMs: number;
  updatedAtMs: number;
  title: string;
  headId?: string;
  bytes: number;
  /** The number of its last change among all changes; 0 before the first. */
  changed: number;
}

/** Rough size of a message or a conversation without its text, bytes. */
const recordBytes = 300;

/** Forgetting goes down to this share of the maximum, so that not every message has to free memory. */
const shareAfterForgetting = 0.9;

/**
 * Conversations in memory. Beyond `maxBytes` (estimated) whole conversations are forgotten, least recently used first; if only the one in
 * use is left, it forgets its oldest messages. So a shown answer is always kept, at the cost of older ones.
 */
export function createMemoryConversations({
  clock,
  maxBytes,
}: {
  clock: Clock;
  maxBytes: number;
}): ConversationStore & QuestionStore {
  /** Least recently used first. */
  const conversations = new Map<string, Conversation>();
  /** The same by owner, so that a list does not look at other owners' conversations. */
  const owned = new Map<string, Map<string, Conversation>>();
  const searching = createMessageSearch(clock);
  let bytes = 0;
  let changes = 0;
  let messageCount = 0;

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
    for (const oldest of conversations.values()) {
      if (bytes <= maxBytes || oldest === conversation) return;
      drop(oldest);
    }
  }

  /** Forgets the oldest messages of a conversation that is too large by itself, but never its `newest` last ones. */
  function shorten(conversation: Conversation, newest: number): void {
    if (bytes <= maxBytes) return;
    const { inOrder, messages } = conversation;
    let count = 0;
    for (const { message } of inOrder.slice(0, inOrder.length - newest)) {
      if (bytes <= maxBytes * shareAfterForgetting) break;
      messages.delete(message.id);
      if (message.id === conversation.headId) delete conversation.headId;
      bytes -= bytesOf(message);
      conversation.bytes -= bytesOf(message);
      count += 1;
    }
    inOrder.splice(0, count);
    conversation.forgotten += count;
  }

  function drop(conversation: Conversation): void {
    const { id, owner } = conversation;
    conversations.delete(id);
    owned.get(owner)?.delete(id);
    if (owned.get(owner)?.size === 0) owned.delete(owner);
    bytes -= conversation.bytes;
  }

  function noteChange(conversation: Conversation): void {
    changes += 1;
    conversation.changed = changes;
    conversation.updatedAtMs = clock.wallTimeMs();
  }

  const ownedBy = (owner: string) => [...(owned.get(owner)?.values() ?? [])];

  function create(owner: string, id: string): Conversation {
    const nowMs = clock.wallTimeMs();
    const conversation: Conversation = {
      id,
      owner,
      messages: new Map(),
      inOrder: [],
      forgotten: 0,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      title: "",
      bytes: 0,
      changed: 0,
    };
    conversations.set(id, conversation);
    owned.set(owner, (owned.get(owner) ?? new Map<string, Conversation>()).set(id, conversation));
    grow(conversation, recordBytes);
    return conversation;
  }

  function append(
    conversation: Conversation,
    parentId: string | undefined,
    messages: readonly Omit<NewMessage, "parentId">[],
  ): string[] {
    let parent = parentId;
    let pathChars = parent === undefined ? 0 : (conversation.messages.get(parent)?.pathChars ?? 0);
    const ids: string[] = [];
    for (const added of messages) {
      const messageId = added.id ?? clock.newId();
      pathChars += charsOf(added);
      const message = {
        ...added,
        id: messageId,
        ...(parent === undefined ? {} : { parentId: parent }),
      };
      messageCount += 1;
      const kept = { message, createdAtMs: clock.wallTimeMs(), pathChars, number: messageCount };
      conversation.messages.set(messageId, kept);
      conversation.inOrder.push(kept);
      if (message.role === "user") conversation.title ||= titleOf(message.text);
      parent = messageId;
      ids.push(messageId);
      grow(conversation, bytesOf(message));
    }
    shorten(conversation, ids.length);
    if (ids.length > 0) noteChange(conversation);
    return ids;
  }

  return {
    async create(owner, id = clock.newId()) {
      return create(owner, id).id;
    },
    placeQuestion({ owner, id: requestId, conversationId = "" }, { under, ...asked }) {
      const found = under === undefined ? undefined : use(owner, conversationId);
      if (under !== undefined && (found === undefined || found.headId !== under.messageId)) return undefined;
      return () => {
        const conversation = found ?? create(owner, conversationId);
        append(conversation, under?.messageId, [{ ...asked, role: "user", status: "completed", requestId }]);
      };
    },
    async head(owner, id) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      return conversation.headId === undefined ? {} : { messageId: conversation.headId };
    },
    async path(owner, id, messageId, maxChars) {
      return pathTo(use(owner, id)?.messages, messageId, maxChars);
    },
    async headPath(owner, id, maxChars) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      const { headId } = conversation;
      if (headId === undefined) return { path: [], pathChars: 0, version: 0 };
      const path = pathTo(conversation.messages, headId, maxChars) ?? [];
      return { messageId: headId, path, pathChars: path.at(-1)?.pathChars ?? 0, version: 0 };
    },
    async ofRequest(owner, id, requestId) {
      const messages = [...(use(owner, id)?.messages.values() ?? [])].map(({ message }) => message);
      return messages.filter((message) => message.requestId === requestId);
    },
    async requests(owner, id, after) {
      const asked = (use(owner, id)?.inOrder ?? []).flatMap(({ message }) =>
        message.role === "user" && message.requestId !== undefined ? [message.requestId] : [],
      );
      if (after === undefined) return asked.slice(-1);
      if (after === "") return asked;
      const place = asked.indexOf(after);
      return place < 0 ? undefined : asked.slice(place + 1);
    },
    async disown(owner, id, requestId) {
      const { inOrder = [], messages } = use(owner, id) ?? {};
      for (const [place, kept] of inOrder.entries()) {
        const { requestId: asked, ...message } = kept.message;
        if (asked !== requestId || message.role === "user") continue;
        const disowned = { ...kept, message };
        inOrder[place] = disowned;
        messages?.set(message.id, disowned);
      }
    },
    async append(owner, id, parentId, messages) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      if (parentId !== undefined && !conversation.messages.has(parentId)) return undefined;
      return append(conversation, parentId, messages);
    },
    async moveHead(owner, id, messageId) {
      const conversation = use(owner, id);
      if (conversation?.messages.has(messageId) !== true) return;
      conversation.headId = messageId;
      noteChange(conversation);
    },
    async list(owner, { limit, before }) {
      const end = before === undefined ? Number.POSITIVE_INFINITY : readPagePlace(before);
      const behind = ownedBy(owner)
        .filter(({ changed }) => changed > 0 && changed < end)
        .sort((one, other) => other.changed - one.changed);
      const page = behind.slice(0, limit);
      const last = behind.length > limit ? page.at(-1) : undefined;
      return {
        conversations: page.map(summaryOf),
        ...(last === undefined ? {} : { next: String(last.changed) }),
      };
    },
    async summary(owner, id) {
      const conversation = use(owner, id);
      return conversation === undefined ? undefined : summaryOf(conversation);
    },
    async messages(owner, id, maxBytes, from = { message: 0, offset: 0 }) {
      const conversation = use(owner, id);
      if (conversation === undefined) return undefined;
      const { inOrder, forgotten } = conversation;
      // The rest of a forgotten message cannot be read any more.
      if (from.message < forgotten && from.offset > 0) return undefined;
      const message = Math.max(0, from.message - forgotten);
      const { pieces, next } = pageOf(inOrder, maxBytes, { ...from, message });
      return {
        pieces,
        ...(next === undefined ? {} : { next: { ...next, message: next.message + forgotten } }),
      };
    },
    async beginning(owner, id, messageId, maxChars) {
      return use(owner, id)?.messages.get(messageId)?.message.text.slice(0, maxChars);
    },
    async rename(owner, id, title) {
      const conversation = use(owner, id);
      if (conversation === undefined) return false;
      conversation.title = title;
      noteChange(conversation);
      return true;
    },
    async remove(owner, id) {
      const conversation = use(owner, id);
      if (conversation !== undefined) drop(conversation);
      return conversation !== undefined;
    },
    async search(owner, query, limit) {
      const found = await searching.search(owner, ownedBy(owner), query, limit);
      // Other requests may have deleted messages during the search.
      return found.filter(
        ({ conversationId, messageId }) =>
          conversations.get(conversationId)?.messages.has(messageId) === true,
      );
    },
  };
}

function bytesOf(message: StoredMessage): number {
  return recordBytes + 2 * charsOf(message);
}

function summaryOf(conversation: Conversation): ConversationSummary {
  const { id, title, headId, createdAtMs, updatedAtMs } = conversation;
  return { id, title, createdAtMs, updatedAtMs, ...(headId === undefined ? {} : { headId }) };
}
