import type { ServerMessage } from "../protocol/server-messages.ts";
import { readServerMessage } from "./read-message.ts";

/** Joins messages that came in parts. */
interface PartReader {
  /** Returns the next whole message; `undefined` for a part. If parts are missing, returns the short form. */
  read(message: ServerMessage): ServerMessage | undefined;
  /** Drops the parts: on another connection their message is sent again from its start. */
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
