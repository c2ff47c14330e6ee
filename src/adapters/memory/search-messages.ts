import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { MessageMatch } from "../../ports/conversation-store.ts";
import { excerptOf, matchesTerms, searchTerms } from "../../ports/search-terms.ts";

export interface SearchedMessage {
  readonly message: { readonly id: string; readonly text: string };
  /** Place among all messages, by age. */
  readonly number: number;
}

interface SearchedConversation {
  readonly id: string;
  readonly title: string;
  readonly messages: ReadonlyMap<string, SearchedMessage>;
}

/** How much text is looked through before others may run, characters. */
const sliceChars = 250_000;

/** The messages in which all words of the query occur, newest first, at most `limit`. */
export async function searchMessages(
  conversations: readonly SearchedConversation[],
  query: string,
  limit: number,
): Promise<readonly MessageMatch[]> {
  const terms = searchTerms(query);
  if (terms.length === 0) return [];
  const found: { conversation: SearchedConversation; searched: SearchedMessage }[] = [];
  let looked = 0;
  for (const conversation of conversations) {
    for (const searched of conversation.messages.values()) {
      if (matchesTerms(searched.message.text, terms)) found.push({ conversation, searched });
      looked += searched.message.text.length;
      if (looked < sliceChars) continue;
      looked = 0;
      await nextLoopTurn();
    }
  }
  return found
    .sort((one, other) => other.searched.number - one.searched.number)
    .slice(0, limit)
    .map(({ conversation, searched: { message } }) => ({
      conversationId: conversation.id,
      messageId: message.id,
      title: conversation.title,
      excerpt: excerptOf(message.text, query),
    }));
}
