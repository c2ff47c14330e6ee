import type { ConversationStore, NewMessage } from "../../src/ports/conversation-store.ts";

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

/** A conversation in which these questions were asked, one behind the other; its id. */
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
