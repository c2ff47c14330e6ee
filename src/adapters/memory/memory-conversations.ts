import type { Clock } from "../../ports/clock.ts";
import {
  type ConversationStore,
  type ConversationSummary,
  readPagePlace,
} from "../../ports/conversation-store.ts";
import type { QuestionStore } from "../turn-log/memory-turn-logs.ts";
import { type KeptConversation, KeptConversations } from "./kept-conversations.ts";
import { pageOf, pathTo } from "./kept-messages.ts";
import { createMessageSearch } from "./search-messages.ts";

type MemoryConversations = ConversationStore & QuestionStore;
type Named<Name extends keyof MemoryConversations> = Pick<MemoryConversations, Name>;

/** Conversations in memory, `maxBytes` at most (estimated); see `KeptConversations`. */
export function createMemoryConversations({
  clock,
  maxBytes,
}: {
  clock: Clock;
  maxBytes: number;
}): MemoryConversations {
  const kept = new KeptConversations(clock, maxBytes);
  return { ...paths(kept), ...requests(kept), ...changes(kept, clock), ...pages(kept, clock) };
}

/** The messages from the root to one of them. */
function paths(kept: KeptConversations): Named<"head" | "path" | "headPath" | "beginning"> {
  return {
    async head(owner, id) {
      const conversation = kept.use(owner, id);
      if (conversation === undefined) return undefined;
      return conversation.headId === undefined ? {} : { messageId: conversation.headId };
    },
    async path(owner, id, messageId, maxChars) {
      return pathTo(kept.use(owner, id)?.messages, messageId, maxChars);
    },
    async headPath(owner, id, maxChars) {
      const conversation = kept.use(owner, id);
      if (conversation === undefined) return undefined;
      const { headId } = conversation;
      if (headId === undefined) return { path: [], pathChars: 0, version: 0 };
      const path = pathTo(conversation.messages, headId, maxChars) ?? [];
      return { messageId: headId, path, pathChars: path.at(-1)?.pathChars ?? 0, version: 0 };
    },
    async beginning(owner, id, messageId, maxChars) {
      return kept.use(owner, id)?.messages.get(messageId)?.message.text.slice(0, maxChars);
    },
  };
}

/** The messages of a request. */
function requests(kept: KeptConversations): Named<"placeQuestion" | "ofRequest" | "requests" | "disown"> {
  return {
    placeQuestion({ owner, id: requestId, conversationId = "" }, { under, ...asked }) {
      const found = under === undefined ? undefined : kept.use(owner, conversationId);
      if (under !== undefined && (found === undefined || found.headId !== under.messageId)) return undefined;
      return () => {
        const conversation = found ?? kept.create(owner, conversationId);
        kept.append(conversation, under?.messageId, [
          { ...asked, role: "user", status: "completed", requestId },
        ]);
      };
    },
    async ofRequest(owner, id, requestId) {
      const messages = [...(kept.use(owner, id)?.messages.values() ?? [])].map(({ message }) => message);
      return messages.filter((message) => message.requestId === requestId);
    },
    async requests(owner, id, after) {
      const asked = (kept.use(owner, id)?.inOrder ?? []).flatMap(({ message }) =>
        message.role === "user" && message.requestId !== undefined ? [message.requestId] : [],
      );
      if (after === undefined) return asked.slice(-1);
      if (after === "") return asked;
      const place = asked.indexOf(after);
      return place < 0 ? undefined : asked.slice(place + 1);
    },
    async disown(owner, id, requestId) {
      const { inOrder = [], messages } = kept.use(owner, id) ?? {};
      for (const [place, own] of inOrder.entries()) {
        const { requestId: asked, ...message } = own.message;
        if (asked !== requestId || message.role === "user") continue;
        const disowned = { ...own, message };
        inOrder[place] = disowned;
        messages?.set(message.id, disowned);
      }
    },
  };
}

function changes(
  kept: KeptConversations,
  clock: Clock,
): Named<"create" | "append" | "moveHead" | "rename" | "remove"> {
  return {
    async create(owner, id = clock.newId()) {
      return kept.create(owner, id).id;
    },
    async append(owner, id, parentId, messages) {
      const conversation = kept.use(owner, id);
      if (conversation === undefined) return undefined;
      if (parentId !== undefined && !conversation.messages.has(parentId)) return undefined;
      return kept.append(conversation, parentId, messages);
    },
    async moveHead(owner, id, messageId) {
      const conversation = kept.use(owner, id);
      if (conversation?.messages.has(messageId) !== true) return;
      conversation.headId = messageId;
      kept.noteChange(conversation);
    },
    async rename(owner, id, title) {
      const conversation = kept.use(owner, id);
      if (conversation === undefined) return false;
      conversation.title = title;
      kept.noteChange(conversation);
      return true;
    },
    async remove(owner, id) {
      const conversation = kept.use(owner, id);
      if (conversation !== undefined) kept.drop(conversation);
      return conversation !== undefined;
    },
  };
}

/** Lists, pages of messages, and searches. */
function pages(kept: KeptConversations, clock: Clock): Named<"list" | "summary" | "messages" | "search"> {
  const searching = createMessageSearch(clock);
  return {
    async list(owner, { limit, before }) {
      const end = before === undefined ? Number.POSITIVE_INFINITY : readPagePlace(before);
      const behind = kept
        .ownedBy(owner)
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
      const conversation = kept.use(owner, id);
      return conversation === undefined ? undefined : summaryOf(conversation);
    },
    async messages(owner, id, maxBytes, from = { message: 0, offset: 0 }) {
      const conversation = kept.use(owner, id);
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
    async search(owner, query, limit) {
      const found = await searching.search(owner, kept.ownedBy(owner), query, limit);
      // Other requests may have deleted messages during the search.
      return found.filter(({ conversationId, messageId }) => kept.has(conversationId, messageId));
    },
  };
}

function summaryOf(conversation: KeptConversation): ConversationSummary {
  const { id, title, headId, createdAtMs, updatedAtMs } = conversation;
  return { id, title, createdAtMs, updatedAtMs, ...(headId === undefined ? {} : { headId }) };
}
