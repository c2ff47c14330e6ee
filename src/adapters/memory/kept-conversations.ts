import type { Clock } from "../../ports/clock.ts";
import { charsOf, type NewMessage, type StoredMessage, titleOf } from "../../ports/conversation-store.ts";
import type { KeptMessage } from "./kept-messages.ts";

/** A conversation as the store in memory keeps it. */
export interface KeptConversation {
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
 * The conversations of all owners. Beyond `maxBytes` (estimated) whole conversations are forgotten, least recently used first; if only the
 * one in use is left, it forgets its oldest messages. So a shown answer is always kept, at the cost of older ones.
 */
export class KeptConversations {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  /** Least recently used first. */
  readonly #all = new Map<string, KeptConversation>();
  /** The same by owner, so that a list does not look at other owners' conversations. */
  readonly #owned = new Map<string, Map<string, KeptConversation>>();
  #bytes = 0;
  #changes = 0;
  #messages = 0;

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  /** The owner's conversation, which becomes the most recently used one. */
  use(owner: string, id: string): KeptConversation | undefined {
    const conversation = this.#all.get(id);
    if (conversation === undefined || conversation.owner !== owner) return undefined;
    this.#all.delete(id);
    this.#all.set(id, conversation);
    return conversation;
  }

  ownedBy(owner: string): KeptConversation[] {
    return [...(this.#owned.get(owner)?.values() ?? [])];
  }

  has(id: string, messageId: string): boolean {
    return this.#all.get(id)?.messages.has(messageId) === true;
  }

  create(owner: string, id: string): KeptConversation {
    const nowMs = this.#clock.wallTimeMs();
    const times = { createdAtMs: nowMs, updatedAtMs: nowMs };
    const counts = { forgotten: 0, bytes: 0, changed: 0 };
    const conversation = { id, owner, messages: new Map(), inOrder: [], title: "", ...times, ...counts };
    this.#all.set(id, conversation);
    const own = this.#owned.get(owner) ?? new Map<string, KeptConversation>();
    this.#owned.set(owner, own.set(id, conversation));
    this.#grow(conversation, recordBytes);
    return conversation;
  }

  /** Adds messages, each below the one before it. Returns their ids. */
  append(
    conversation: KeptConversation,
    parentId: string | undefined,
    messages: readonly Omit<NewMessage, "parentId">[],
  ): string[] {
    let parent = parentId;
    let pathChars = parent === undefined ? 0 : (conversation.messages.get(parent)?.pathChars ?? 0);
    const ids: string[] = [];
    for (const added of messages) {
      const id = added.id ?? this.#clock.newId();
      pathChars += charsOf(added);
      const message = { ...added, id, ...(parent === undefined ? {} : { parentId: parent }) };
      this.#messages += 1;
      const kept = { message, createdAtMs: this.#clock.wallTimeMs(), pathChars, number: this.#messages };
      conversation.messages.set(id, kept);
      conversation.inOrder.push(kept);
      if (message.role === "user") conversation.title ||= titleOf(message.text);
      parent = id;
      ids.push(id);
      this.#grow(conversation, bytesOf(message));
    }
    this.#shorten(conversation, ids.length);
    if (ids.length > 0) this.noteChange(conversation);
    return ids;
  }

  noteChange(conversation: KeptConversation): void {
    this.#changes += 1;
    conversation.changed = this.#changes;
    conversation.updatedAtMs = this.#clock.wallTimeMs();
  }

  drop(conversation: KeptConversation): void {
    const { id, owner } = conversation;
    this.#all.delete(id);
    this.#owned.get(owner)?.delete(id);
    if (this.#owned.get(owner)?.size === 0) this.#owned.delete(owner);
    this.#bytes -= conversation.bytes;
  }

  #grow(conversation: KeptConversation, added: number): void {
    conversation.bytes += added;
    this.#bytes += added;
    for (const oldest of this.#all.values()) {
      if (this.#bytes <= this.#maxBytes || oldest === conversation) return;
      this.drop(oldest);
    }
  }

  /** Forgets the oldest messages of a conversation that is too large by itself, but never its `newest` last ones. */
  #shorten(conversation: KeptConversation, newest: number): void {
    if (this.#bytes <= this.#maxBytes) return;
    const { inOrder, messages } = conversation;
    let count = 0;
    for (const { message } of inOrder.slice(0, inOrder.length - newest)) {
      if (this.#bytes <= this.#maxBytes * shareAfterForgetting) break;
      messages.delete(message.id);
      if (message.id === conversation.headId) delete conversation.headId;
      this.#bytes -= bytesOf(message);
      conversation.bytes -= bytesOf(message);
      count += 1;
    }
    inOrder.splice(0, count);
    conversation.forgotten += count;
  }
}

function bytesOf(message: StoredMessage): number {
  return recordBytes + 2 * charsOf(message);
}
