import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";
import type { MessageMatch } from "../../ports/conversation-store.ts";
import { FairQueue } from "../../ports/fair-shares.ts";
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

interface Found {
  readonly conversation: SearchedConversation;
  readonly searched: SearchedMessage;
}

/** Steps in one turn of the event loop; each looks at a message or at most 16,384 characters. */
const stepsPerSlice = 4;
/** A search that takes longer returns the messages found so far, milliseconds. */
const searchLimitMs = 2_000;

interface MessageSearch {
  /** Finds the owner's messages that contain all words of the query, newest first, at most `limit`. */
  search(
    owner: string,
    conversations: readonly SearchedConversation[],
    query: string,
    limit: number,
  ): Promise<readonly MessageMatch[]>;
}

/** Runs the searches of all owners: one slice in each turn of the event loop, and the owners take turns. */
export function createMessageSearch(clock: Clock): MessageSearch {
  const waiting = new FairQueue<() => void>();
  let isRunning = false;

  async function run(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    for (let next = waiting.take(); next !== undefined; next = waiting.take()) {
      next();
      await nextLoopTurn();
    }
    isRunning = false;
  }

  function turnOf(owner: string): Promise<void> {
    return new Promise((resolve) => {
      waiting.add(owner, resolve);
      void run();
    });
  }

  return {
    async search(owner, conversations, query, limit) {
      const matches: MessageMatch[] = [];
      const endsAtMs = clock.now() + searchLimitMs;
      const steps = find(conversations, query, limit, matches);
      for (;;) {
        await turnOf(owner);
        for (let step = 0; step < stepsPerSlice; step += 1) if (steps.next().done === true) return matches;
        if (clock.now() >= endsAtMs) return matches;
      }
    },
  };
}

function* find(
  conversations: readonly SearchedConversation[],
  query: string,
  limit: number,
  matches: MessageMatch[],
): Generator<undefined, void> {
  const terms = searchTerms(query);
  if (terms.length === 0) return;
  for (const { conversation, searched } of newestFirst(conversations)) {
    const { id: messageId, text } = searched.message;
    yield;
    if (!(yield* matchesTerms(text, terms))) continue;
    const excerpt = yield* excerptOf(text, query);
    matches.push({ conversationId: conversation.id, messageId, title: conversation.title, excerpt });
    if (matches.length === limit) return;
  }
}

function newestFirst(conversations: readonly SearchedConversation[]): Found[] {
  const all: Found[] = [];
  for (const conversation of conversations)
    for (const searched of conversation.messages.values()) all.push({ conversation, searched });
  return all.sort((one, other) => other.searched.number - one.searched.number);
}
