import { TroupeError } from "../protocol/errors.ts";
import type { Item } from "./item.ts";

/** One message of a conversation's tree. */
export interface StoredMessage {
  readonly id: string;
  /** The message this one follows; absent for the first. */
  readonly parentId?: string;
  readonly role: "user" | "assistant";
  /** The persona that spoke, for `assistant`. */
  readonly personaId?: string;
  /** The persona's name at the time. */
  readonly personaName?: string;
  /** The request that the message came with. */
  readonly requestId?: string;
  readonly text: string;
  /** The whole message as items, if it is more than its text: images, calls of tools and their results, reasoning. */
  readonly items?: readonly Item[];
  /** Anything but `completed` means that the text is partial. */
  readonly status: "completed" | "failed" | "cancelled";
}

/** A message on a path. */
export interface PathMessage extends StoredMessage {
  /** Characters of all messages from the root to this one (`charsOf`). Absent on messages that earlier versions stored. */
  readonly pathChars?: number;
}

/** The place in a conversation under which the next question is stored, as one read found it. */
interface HeadPlace {
  /** The head; absent before the first answer. */
  readonly messageId?: string;
  /** Characters of all messages from the root to the head (`charsOf`). */
  readonly pathChars: number;
  /** The store's own note of the moment of the read, by which it knows whether the head has moved since. */
  readonly version: number;
}

/** A conversation's head, with the path to it. */
export interface ConversationHead extends HeadPlace {
  /** From the root to the head; the oldest messages may be left out. */
  readonly path: readonly PathMessage[];
}

/** The content of a question. */
export type Asked = Pick<StoredMessage, "text" | "items">;

/**
 * A question that is stored together with the log of its turn. The turn's record names its owner, conversation and request.
 * `under`: its place as it was found. Without it the conversation is new, and is stored as well.
 */
export interface TurnQuestion extends Asked {
  /** A new id that the caller made. */
  readonly id: string;
  readonly under?: HeadPlace;
}

/** A message to store. `id`: a new id that the caller made and already announced. Default: the store makes one. */
export type NewMessage = Omit<StoredMessage, "id"> & { readonly id?: string };

/** A message with the time at which it was stored, for display, without its items. */
export interface DatedMessage extends Omit<StoredMessage, "items"> {
  /** Wall clock, milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** The place from which a conversation is read on. */
export interface ReadingPlace {
  /** A message's place among those of its store, oldest first. 0 is before all of them. */
  readonly message: number;
  /** How much of its text has been read, in the store's own unit. */
  readonly offset: number;
}

/** A message, or a piece of one whose text is longer than a page. */
export interface MessagePiece {
  /** `text` holds this piece only. */
  readonly message: DatedMessage;
  /** The previous page ended with a piece of the same message. */
  readonly goesOn: boolean;
  /** The message's text ends with this piece. */
  readonly isLast: boolean;
}

/** One page of a conversation; `next` is the place of the page after it, absent on the last one. */
export interface MessagePage {
  readonly pieces: readonly MessagePiece[];
  readonly next?: ReadingPlace;
}

/** A conversation as a list shows it. */
export interface ConversationSummary {
  readonly id: string;
  /** The name that its owner gave it, else the start of its first question (`titleOf`), else empty. */
  readonly title: string;
  /** The message that the next turn follows. Absent before the first answer. */
  readonly headId?: string;
  /** Wall clock, milliseconds since 1970, for display; the order of a list does not depend on it. */
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** One page of a list; `next` is the `before` of the page after it, absent on the last one. */
export interface ConversationPage {
  readonly conversations: readonly ConversationSummary[];
  readonly next?: string;
}

/** A message that a search found. */
export interface MessageMatch {
  readonly conversationId: string;
  readonly messageId: string;
  /** The conversation's title. */
  readonly title: string;
  /** The text around the query's first word (`excerptOf`). */
  readonly excerpt: string;
}

/**
 * Conversations: trees of messages, each with a head, which the next turn follows.
 *
 * Contract: every call names the owner. Another owner's conversation answers exactly like one that does not exist (`undefined`, `false`,
 * nothing found).
 *
 * `append` stores all messages or none, and returns their ids in order. Each message is the child of the one before it; the first is a
 * child of `parentId`. `moveHead` makes a message the head.
 *
 * `path` leads from the root to the message. If its messages have more than `maxChars` characters (`charsOf`), the oldest may be left
 * out. It always holds the newest messages that fit, and the newest that has a text, so a long conversation costs no more than a
 * short one. `pathChars` counts the whole path, including messages left out. `headPath` finds the head and the path to it at the same
 * moment.
 */
export interface ConversationStore {
  /** Creates a conversation and returns its id. `conversationId` must not be in use yet. */
  create(owner: string, conversationId?: string): Promise<string>;
  head(owner: string, conversationId: string): Promise<{ readonly messageId?: string } | undefined>;
  path(
    owner: string,
    conversationId: string,
    messageId: string,
    maxChars: number,
  ): Promise<readonly PathMessage[] | undefined>;
  headPath(owner: string, conversationId: string, maxChars: number): Promise<ConversationHead | undefined>;
  /** The messages that came with a request, questions first. Empty if there are none, or no such conversation. */
  ofRequest(owner: string, conversationId: string, requestId: string): Promise<readonly StoredMessage[]>;
  /**
   * Ids of the requests asked in the conversation after `after`, oldest first; all of them if `after` is empty. Without `after`, only the
   * newest. `undefined` if `after` was not asked there or was forgotten.
   */
  requests(owner: string, conversationId: string, after?: string): Promise<readonly string[] | undefined>;
  /** Detaches a request's answers from it, because it is answered again. Its question stays attached. */
  disown(owner: string, conversationId: string, requestId: string): Promise<void>;
  append(
    owner: string,
    conversationId: string,
    parentId: string | undefined,
    messages: readonly Omit<NewMessage, "parentId">[],
  ): Promise<readonly string[] | undefined>;
  moveHead(owner: string, conversationId: string, messageId: string): Promise<void>;
  /**
   * Lists the conversations that have a message or a name, the last changed first. Messages, a new head and a new title are changes.
   * Pages read one after another through `next` list no conversation twice, and miss none that does not change meanwhile. A conversation
   * that changes moves to the front of the first page. A `next` never expires. Throws `invalid_message` for a `before` that cannot be a
   * `next`.
   */
  list(
    owner: string,
    page: { readonly limit: number; readonly before?: string | undefined },
  ): Promise<ConversationPage>;
  summary(owner: string, conversationId: string): Promise<ConversationSummary | undefined>;
  /**
   * One page of the tree's messages, oldest first, starting at `from` (default: the first message). The texts of a page have at most
   * `maxBytes` together (UTF-8, at least 4). A longer text comes in pieces, which never split a character. A reader that asks for the
   * next page only when it has room never holds more than one page. `undefined` once the conversation is gone.
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
  /** Names a conversation; `false` if it does not exist. */
  rename(owner: string, conversationId: string, title: string): Promise<boolean>;
  /** Deletes a conversation with its messages and everything made from them; `false` if it does not exist. */
  remove(owner: string, conversationId: string): Promise<boolean>;
  /**
   * The messages that contain every word of the query (`searchTerms` defines words and how they match), newest first, at most `limit`.
   * None if the query has no words. A query is only ever data: nothing in it is interpreted.
   */
  search(owner: string, query: string, limit: number): Promise<readonly MessageMatch[]>;
}

/** The size of a message in a path, in UTF-16 units: its text, and the JSON of its items. */
export function charsOf({ text, items }: Asked): number {
  return text.length + (items === undefined ? 0 : JSON.stringify(items).length);
}

const titleChars = 80;

/** The title of a conversation that starts with this question: its first 80 characters, on one line. */
export function titleOf(question: string): string {
  const beginning = question.trimStart().slice(0, 20 * titleChars);
  return [...beginning.replace(/\s+/gu, " ").trim()].slice(0, titleChars).join("");
}

/** Reads a page's `next`, the number of a place in a list, from 1. Throws `invalid_message` for anything else. */
export function readPagePlace(before: string): number {
  const place = Number(before);
  if (/^[1-9]\d*$/.test(before) && Number.isSafeInteger(place)) return place;
  throw new TroupeError("invalid_message", {
    field: "before",
    detail: "before must be the `next` of an earlier list.",
  });
}
