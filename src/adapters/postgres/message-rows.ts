import type { Clock } from "../../ports/clock.ts";
import type { NewMessage, PathMessage, StoredMessage } from "../../ports/conversation-store.ts";
import { rowsOfMessages, toMessage } from "../database/conversation-rows.ts";
import type { Row } from "../database/row.ts";
import type { NewRow } from "./beat-item.ts";
import { indexedWords } from "./search-words.ts";

/** The rows of a chain of messages, with their words for the index. `pathChars`: the characters of all messages before it. */
export async function indexedRows(
  owner: string,
  place: { readonly parentId: string | undefined; readonly pathChars: number },
  messages: readonly Omit<NewMessage, "parentId">[],
  clock: Pick<Clock, "newId" | "wallTimeMs">,
): Promise<NewRow[]> {
  const rows: NewRow[] = [];
  for (const row of rowsOfMessages(place, messages, clock))
    rows.push({ ...row, words: await indexedWords(owner, row.text) });
  return rows;
}

/** The bytes of a message's text; none if the column has no value. */
export function bytesIn(row: Row): Buffer {
  return Buffer.isBuffer(row.content) ? row.content : Buffer.alloc(0);
}

export function toWholeMessage(row: Row): StoredMessage {
  return toMessage(row, bytesIn(row).toString());
}

export function toPathMessage(row: Row): PathMessage {
  return { ...toWholeMessage(row), pathChars: Number(row.path_chars) };
}
