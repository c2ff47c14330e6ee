import type {
  ConversationStore,
  DatedMessage,
  MessagePage,
  NewMessage,
} from "../../src/ports/conversation-store.ts";

/** A new, empty store. */
export interface ConversationsUnderTest extends AsyncDisposable {
  readonly store: ConversationStore;
}

export const asks = (text: string): Omit<NewMessage, "parentId"> => ({
  role: "user",
  text,
  status: "completed",
});

export const answers = (text: string): Omit<NewMessage, "parentId"> => ({
  role: "assistant",
  personaId: "ada",
  personaName: "Ada",
  text,
  status: "failed",
});

/** Stores a conversation with these questions, one after the other, and returns its id. */
export async function conversationOf(
  store: ConversationStore,
  owner: string,
  ...questions: readonly string[]
): Promise<string> {
  const id = await store.create(owner);
  const parents = await store.append(owner, id, undefined, questions.map(asks));
  const last = parents?.at(-1);
  if (last !== undefined) await store.moveHead(owner, id, last);
  return id;
}

/** Every page of a conversation. */
export async function pagesOf(
  store: ConversationStore,
  owner: string,
  id: string,
  maxBytes: number,
): Promise<MessagePage[]> {
  const pages: MessagePage[] = [];
  let page: MessagePage | undefined;
  do {
    page = await store.messages(owner, id, maxBytes, page?.next);
    if (page !== undefined) pages.push(page);
  } while (page?.next !== undefined);
  return pages;
}

/** All messages of a conversation, joined from the pieces of its pages. */
export async function readAll(
  store: ConversationStore,
  owner: string,
  id: string,
  maxBytes = 10_000,
): Promise<DatedMessage[]> {
  const messages: DatedMessage[] = [];
  for (const { pieces } of await pagesOf(store, owner, id, maxBytes))
    for (const { message, goesOn } of pieces) {
      const begun = goesOn ? messages.pop() : undefined;
      messages.push({ ...message, text: (begun?.text ?? "") + message.text });
    }
  return messages;
}
