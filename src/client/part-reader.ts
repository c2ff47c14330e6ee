import type { ServerMessage } from "../protocol/server-messages.ts";
import { readServerMessage } from "./read-message.ts";

/** Puts messages together that came in parts. */
export interface PartReader {
  /** The next message as a whole; `undefined` for a part. Without its parts a short form stands for itself. */
  read(message: ServerMessage): ServerMessage | undefined;
  /** The rest of what came in part comes again on another connection, from its beginning. */
  clear(): void;
}

export function createPartReader(): PartReader {
  const pieces = new Map<string, string[]>();
  return {
    read(message) {
      if (message.type === "part") {
        const before = pieces.get(message.request_id) ?? [];
        pieces.set(message.request_id, before);
        before.push(message.json);
        return undefined;
      }
      if (!("in_parts" in message) || message.in_parts === undefined) return message;
      const { request_id: id, in_parts: count } = message;
      const taken = pieces.get(id) ?? [];
      pieces.delete(id);
      return (taken.length === count ? readServerMessage(taken.join("")) : undefined) ?? message;
    },
    clear: () => pieces.clear(),
  };
}
