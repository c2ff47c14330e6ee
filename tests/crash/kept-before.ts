import type { ServerMessage } from "../../src/protocol/server-messages.ts";

/** What was sent before nothing could be stored any more: the end that then was told, with its lanes' last chunks, was not kept. */
export function keptBefore(messages: readonly ServerMessage[]): readonly ServerMessage[] {
  const broken = messages.findIndex(
    (message) => message.type === "error" && message.code === "storage_unavailable",
  );
  if (broken < 0) return messages;
  const isEmptyEnd = (message: ServerMessage) =>
    message.type === "chunk" && message.is_final && message.chunk === "";
  const before = messages.slice(0, broken);
  return before.slice(0, before.findLastIndex((message) => !isEmptyEnd(message)) + 1);
}
