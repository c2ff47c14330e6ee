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

/** A message on a path. */
export interface PathMessage extends StoredMessage {
  /** Characters (UTF-16 units) of all texts from the root to this one. Absent for what earlier versions stored. */
  readonly pathChars?: number;
}

/** A message to store. `id`: a new id of the caller's own making, by which it was told already. Default: the store makes one. */
export type NewMessage = Omit<StoredMessage, "id"> & { readonly id?: string };

/** A message with the time at which it was stored, for display. */
export interface DatedMessage extends StoredMessage {
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** Where the reading of a conversation goes on. */
export interface ReadingPlace {
  /** A message's place among those of its store, oldest first; 0 is before all. */
  readonly message: number;
  /** How much of its text was read, in the store's own unit. */
  readonly offset: number;
}

/** A message, or a piece of one whose text is longer than a page. */
export interface MessagePiece {
  /** `text` holds this piece only. */
  readonly message: DatedMessage;
  /** The piece that the page before this one ended with belongs to the same message. */
  readonly goesOn: boolean;
  /** The message's text ends with this piece. */
  readonly isLast: boolean;
}

/** One page of a conversation; `next` is the place of the page after it, absent on the last one. */
export interface MessagePage {
  readonly pieces: readonly MessagePiece[];
  readonly next?: ReadingPlace;
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
 * Its messages count the characters of the whole path, whatever was left out of it.
 */
export interface ConversationStore {
  /** A new conversation, under an id of the caller's choice that no conversation has; returns its id. */
  create(owner: string, conversationId?: string): Promise<string>;
  head(owner: string, conversationId: string): Promise<{ readonly messageId?: string } | undefined>;
  path(
    owner: string,
    conversationId: string,
    messageId: string,
    mostChars: number,
  ): Promise<readonly PathMessage[] | undefined>;
  /** The messages that came with a request, questions first; empty where there are none or no such conversation. */
  ofRequest(owner: string, conversationId: string, requestId: string): Promise<readonly StoredMessage[]>;
  /**
   * Ids of the requests that were asked in the conversation after that one, oldest first; without one, only the newest. `undefined`
   * if it was not asked there, or was forgotten.
   */
  requests(owner: string, conversationId: string, after?: string): Promise<readonly string[] | undefined>;
  /** The answers that came with a request are no longer its own: it is answered again. Its question stays its own. */
  disown(owner: string, conversationId: string, requestId: string): Promise<void>;
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
   * meanwhile; what changes moves to the front of the first page. A `next` stays good. Throws `invalid_message` for a `before` that
   * cannot be a `next`.
   */
  list(
    owner: string,
    page: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<ConversationPage>;
  summary(owner: string, conversationId: string): Promise<ConversationSummary | undefined>;
  /**
   * One page of the tree's messages, oldest first, from a place on (default: the first message). The texts of a page have at most
   * `maxBytes` together (UTF-8, at least 4); a longer text comes in pieces, which cut no character in two. A reader that asks for
   * the next page when it has room never holds more than a page. `undefined` once the conversation is gone.
   */
  messages(
    owner: string,
    conversationId: string,
    maxBytes: number,
    from?: ReadingPlace,
  ): Promise<MessagePage | undefined>;
  /** The first characters of a message's text, at most `maxChars`; `undefined` if there is no such message. */
  beginning(
    owner: string,
    conversationId: string,
    messageId: string,
    maxChars: number,
  ): Promise<string | undefined>;
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
