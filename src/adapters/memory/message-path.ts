import { charsOf, type PathMessage, type StoredMessage } from "../../ports/conversation-store.ts";
import type { KeptMessage } from "./message-page.ts";

/** The path to a message of a conversation; see `ConversationStore`. */
export function pathTo(
  messages: ReadonlyMap<string, KeptMessage> | undefined,
  messageId: string,
  mostChars: number,
): PathMessage[] | undefined {
  const path: PathMessage[] = [];
  let kept = messages?.get(messageId);
  if (kept === undefined) return undefined;
  let chars = 0;
  while (kept !== undefined && (chars === 0 || chars + charsOf(kept.message) <= mostChars)) {
    const { message, pathChars }: KeptMessage = kept;
    path.push({ ...message, pathChars });
    chars += charsOf(message);
    const { parentId }: StoredMessage = message;
    kept = parentId === undefined ? undefined : messages?.get(parentId);
  }
  return path.reverse();
}
