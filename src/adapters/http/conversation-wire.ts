import type { ConversationSummary, DatedMessage, MessageMatch } from "../../ports/conversation-store.ts";
import { isoTime } from "./iso-time.ts";

/** Messages of one piece of a document. */
const messagesPerPiece = 50;

/** A conversation as a list shows it. */
export function encodeSummary({ id, title, headId, createdAtMs, updatedAtMs }: ConversationSummary) {
  return {
    id,
    title,
    created_at: isoTime(createdAtMs),
    updated_at: isoTime(updatedAtMs),
    ...(headId === undefined ? {} : { head_id: headId }),
  };
}

export function encodeMatch({ conversationId, messageId, title, excerpt }: MessageMatch) {
  return { conversation_id: conversationId, message_id: messageId, title, excerpt };
}

function encodeMessage(message: DatedMessage) {
  const { id, parentId, requestId, role, personaId, personaName, text, status, createdAtMs } = message;
  return {
    id,
    ...(parentId === undefined ? {} : { parent_id: parentId }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
    role,
    ...(personaId === undefined ? {} : { persona_id: personaId }),
    ...(personaName === undefined ? {} : { persona_name: personaName }),
    text,
    status,
    created_at: isoTime(createdAtMs),
  };
}

/** A whole conversation as JSON, in pieces: it may be long, and nobody else should have to wait for it. */
export function* encodeConversation(
  summary: ConversationSummary,
  messages: readonly DatedMessage[],
): Iterable<string> {
  yield `${JSON.stringify(encodeSummary(summary)).slice(0, -1)},"messages":[`;
  for (let start = 0; start < messages.length; start += messagesPerPiece) {
    const piece = messages.slice(start, start + messagesPerPiece).map(encodeMessage);
    yield `${start === 0 ? "" : ","}\n${piece.map((message) => JSON.stringify(message)).join(",\n")}`;
  }
  yield "]}\n";
}
