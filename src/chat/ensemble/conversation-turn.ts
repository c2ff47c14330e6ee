import type { Asked, ConversationHead, PathMessage, StoredMessage } from "../../ports/conversation-store.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ChatDependencies } from "../chat-context.ts";

/** The place of a turn in its conversation: the path that the personas get, and the question that its answers follow. */
export interface ConversationTurn {
  readonly owner: string;
  readonly id: string;
  /** From the root to the head at the turn's start, without the question and without messages too old to pass on. */
  readonly path: readonly PathMessage[];
  readonly questionId: string;
  /** The request that asked the question. */
  readonly requestId?: string;
  /** The message before the question, if another process started the turn. Absent for the first question of a conversation. */
  readonly parentId?: string;
  /** The answers that another process stored, if all of them were there. */
  readonly answered?: readonly StoredMessage[];
  /** The conversation has gone on since the question, so its head stays where it is. Default false. */
  readonly keepsHead?: boolean;
}

type Told = Pick<ChatDependencies, "conversations" | "contextChars">;

/** Throws `conversation_not_found`. */
export async function findHead(
  { conversations, contextChars }: Told,
  owner: string,
  id: string,
): Promise<ConversationHead> {
  const head = await conversations.headPath(owner, id, contextChars);
  if (head === undefined) throw notFound();
  return head;
}

/** Stores a question under the current head, for a turn whose log was stored without it. */
export async function beginConversationTurn(
  told: Told,
  owner: string,
  id: string,
  question: Asked,
  requestId?: string,
): Promise<ConversationTurn> {
  const asked = requestId === undefined ? {} : { requestId };
  const { messageId, path } = await findHead(told, owner, id);
  const stored = await told.conversations.append(owner, id, messageId, [
    { ...question, role: "user", status: "completed", ...asked },
  ]);
  const questionId = stored?.[0];
  if (questionId === undefined) throw notFound();
  return { owner, id, path, questionId, ...asked };
}

/**
 * The place of a turn that another process started. Its question may already be stored, and its answers as well. Otherwise the question
 * is stored now.
 */
export async function recoverConversationTurn(
  told: Told,
  owner: string,
  id: string,
  question: Asked,
  requestId: string,
): Promise<ConversationTurn> {
  const { conversations: store, contextChars } = told;
  const [asked, ...answered] = await store.ofRequest(owner, id, requestId);
  if (asked === undefined) return beginConversationTurn(told, owner, id, question, requestId);
  const { parentId } = asked;
  const path = parentId === undefined ? [] : await store.path(owner, id, parentId, contextChars);
  if (path === undefined) throw notFound();
  const under = parentId === undefined ? {} : { parentId };
  return { owner, id, path, questionId: asked.id, requestId, answered, ...under };
}

/**
 * The same for a turn that repeats a failed one. Its question is already stored. The earlier answers stay beside the new ones, but no
 * longer count as answers of the request.
 */
export async function repeatConversationTurn(
  told: Told,
  owner: string,
  id: string,
  question: Asked,
  requestId: string,
): Promise<ConversationTurn> {
  const { conversations: store } = told;
  const [asked, ...failed] = await store.ofRequest(owner, id, requestId);
  const head = await store.head(owner, id);
  await store.disown(owner, id, requestId);
  const turn = await recoverConversationTurn(told, owner, id, question, requestId);
  const own = [asked?.parentId, ...failed.map((message) => message.id)];
  return asked === undefined || own.includes(head?.messageId) ? turn : { ...turn, keepsHead: true };
}

function notFound(): TroupeError {
  return new TroupeError("conversation_not_found", { field: "conversationId" });
}
