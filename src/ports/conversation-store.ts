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

/** A message with the time at which it was stored, for display. */
export interface DatedMessage extends StoredMessage {
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** What a list shows of a conversation. */
export interface ConversationSummary {
  readonly id: string;
  /** As its owner named it, else the beginning of its first question (`titleOf`), else empty. */
  readonly title: string;
  /** Where the next turn goes on; absent before the first answer. */
  readonly headId?: string;
  /** Wall clock, milliseconds since 1970, for display; the order of a list does not depend on it. */
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** One page of a list; `next` is the `before` of the page behind it, absent on the last one. */
export interface ConversationPage {
  readonly conversations: readonly ConversationSummary[];
  readonly next?: string;
}

/** A message that a search found. */
export interface MessageMatch {
  readonly conversationId: string;
  readonly messageId: string;
  /** Of the conversation. */
  readonly title: string;
  /** The text around the first of the words (`excerptOf`). */
  readonly excerpt: string;
}

/**
 * Conversations: trees of messages with a head, which is where the next turn goes on.
 *
 * Contract: every call names the owner; another owner's conversation answers exactly like one that does not exist
 * (`undefined`, `false`, nothing found). `append` stores all messages or none, each the child of the one before it, the first a
 * child of `parentId`, and returns their ids in order. `moveHead` makes a message the head. `path` leads from the root to the
 * message, without the oldest where not all have room in `mostChars`: of the newest it holds at least those whose texts have no
 * more characters together (UTF-16 units), and always the newest that has a text. So a long conversation costs no more than a short one.
 */
export interface ConversationStore {
  create(owner: string): Promise<string>;
  head(owner: string, conversationId: string): Promise<{ readonly messageId?: string } | undefined>;
  path(
    owner: string,
    conversationId: string,
    messageId: string,
    mostChars: number,
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
  /**
   * The conversations in which something was said or that were named, the last changed first: messages, a new head and a new
   * title are changes. Pages that follow one another through `next` name none twice and miss none that stays as it is
   * meanwhile; what changes moves to the front of the first page. A `before` that is not a `next` finds nothing.
   */
  list(
    owner: string,
    page: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<ConversationPage>;
  /** All messages of the tree, oldest first. */
  read(
    owner: string,
    conversationId: string,
  ): Promise<
    { readonly summary: ConversationSummary; readonly messages: readonly DatedMessage[] } | undefined
  >;
  /** Names a conversation; `false` where there is none. */
  rename(owner: string, conversationId: string, title: string): Promise<boolean>;
  /** Deletes a conversation with its messages and everything that was made of them; `false` where there is none. */
  remove(owner: string, conversationId: string): Promise<boolean>;
  /**
   * The messages in which all words of the query occur (`searchTerms` says what a word is and how it matches), newest first, at
   * most `limit`; none where the query has no words. Whatever the query is made of, it is only ever looked for.
   */
  search(owner: string, query: string, limit: number): Promise<readonly MessageMatch[]>;
}
