import type { ConversationSummary, MessageMatch, MessagePiece } from "../../ports/conversation-store.ts";

/** A conversation in the form that lists show. */
export function encodeSummary({ id, title, headId, createdAtMs, updatedAtMs }: ConversationSummary) {
  return {
    id,
    title,
    created_at: new Date(createdAtMs).toISOString(),
    updated_at: new Date(updatedAtMs).toISOString(),
    ...(headId === undefined ? {} : { head_id: headId }),
  };
}

export function encodeMatch({ conversationId, messageId, title, excerpt }: MessageMatch) {
  return { conversation_id: conversationId, message_id: messageId, title, excerpt };
}

/** A whole conversation as JSON, in pieces of about a page. Each piece is made after the one before it was taken. */
export async function* encodeConversation(
  summary: ConversationSummary,
  pieces: AsyncIterable<MessagePiece>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(encodeSummary(summary)).slice(0, -1)},"messages":[`;
  let isFirst = true;
  for await (const piece of pieces) {
    yield (isFirst || piece.goesOn ? "" : ",") + encodePiece(piece);
    isFirst = false;
  }
  yield "]}\n";
}

/** Encodes one piece. A message's first piece has the members before its text, its last piece the members after it. */
function encodePiece({ message, goesOn, isLast }: MessagePiece): string {
  const { id, parentId, requestId, role, personaId, personaName, text, status, createdAtMs } = message;
  const before = {
    id,
    ...(parentId === undefined ? {} : { parent_id: parentId }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
    role,
    ...(personaId === undefined ? {} : { persona_id: personaId }),
    ...(personaName === undefined ? {} : { persona_name: personaName }),
  };
  const after = { status, created_at: new Date(createdAtMs).toISOString() };
  const head = goesOn ? "" : `\n${JSON.stringify(before).slice(0, -1)},"text":"`;
  const tail = isLast ? `",${JSON.stringify(after).slice(1)}` : "";
  return head + JSON.stringify(text).slice(1, -1) + tail;
}
