import type { ConversationStore, StoredMessage } from "../ports/conversation-store.ts";
import type { Persona } from "../ports/persona.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { ChatDependencies } from "./chat-context.ts";
import type { LaneResult } from "./lane.ts";

/** The place in a conversation at which a turn began: what it is told, and where its answers go. */
export interface ConversationTurn {
  readonly owner: string;
  readonly id: string;
  /** From the root to the head as it was when the turn began, without the question and without what is too old to be told. */
  readonly path: readonly StoredMessage[];
  readonly questionId: string;
  /** The request that asked. */
  readonly requestId?: string;
}

/** Stores the question under the head as it is now; turns that begin before this one ends branch from the same head. */
export async function beginConversationTurn(
  { conversations: store, contextChars }: Pick<ChatDependencies, "conversations" | "contextChars">,
  owner: string,
  id: string,
  question: string,
  requestId?: string,
): Promise<ConversationTurn> {
  const asked = requestId === undefined ? {} : { requestId };
  const head = await store.head(owner, id);
  if (head === undefined) throw notFound();
  const path = head.messageId === undefined ? [] : await store.path(owner, id, head.messageId, contextChars);
  const stored = await store.append(owner, id, head.messageId, [
    { role: "user", text: question, status: "completed", ...asked },
  ]);
  const questionId = stored?.[0];
  if (path === undefined || questionId === undefined) throw notFound();
  return { owner, id, path, questionId, ...asked };
}

/**
 * Stores what was said, in the order of the personas, and makes the last of it the head; returns the message ids by index,
 * `undefined` where nothing was said.
 */
export async function rememberAnswers(
  store: ConversationStore,
  { personas, conversation }: { personas: readonly Persona[]; conversation: ConversationTurn },
  results: readonly LaneResult[],
): Promise<readonly (string | undefined)[]> {
  const { owner, id, questionId, requestId } = conversation;
  const said = personas.flatMap((persona, index) => {
    const result = results[index];
    return result === undefined || result.text === "" ? [] : [{ persona, result, index }];
  });
  const stored = await store.append(
    owner,
    id,
    questionId,
    said.map(({ persona, result }) => ({
      role: "assistant" as const,
      personaId: persona.id,
      personaName: persona.name,
      text: result.text,
      status: result.status,
      ...(requestId === undefined ? {} : { requestId }),
    })),
  );
  const ids: (string | undefined)[] = personas.map(() => undefined);
  said.forEach(({ index }, place) => {
    ids[index] = stored?.[place];
  });
  const last = stored?.at(-1);
  if (last !== undefined) await store.moveHead(owner, id, last);
  return ids;
}

function notFound(): TroupeError {
  return new TroupeError("conversation_not_found", { field: "data.conversation_id" });
}
