import type { Item } from "../../ports/item.ts";
import { maxChain } from "../../ports/response-store.ts";
import { UnreadableError } from "../../ports/stored-event.ts";
import { decodeItems } from "../../ports/stored-turn.ts";
import type { Row } from "./row.ts";

/**
 * The items of a chain of responses, from its rows, the newest first. Each row has `items` and their `version`, and `previous`, which is
 * `null` for the first of a chain. The statement reads no more rows once those before have `maxChars` together. Content that cannot be read
 * is reported, and gives no items.
 */
export function itemsOfChain(
  rows: readonly Row[],
  maxChars: number,
  report: (fault: unknown) => void,
): readonly Item[] | undefined {
  const taken: Row[] = [];
  let chars = 0;
  for (const row of rows) {
    chars += String(row.items).length;
    if (taken.length > 0 && chars > maxChars) break;
    taken.push(row);
  }
  const oldest = taken.at(-1);
  const isWhole = oldest?.previous === null || taken.length < rows.length;
  const isFull = chars >= maxChars || taken.length >= maxChain;
  if (oldest === undefined || !(isWhole || isFull)) return undefined;
  try {
    return taken.reverse().flatMap(({ items, version }) => decodeItems(String(items), Number(version)));
  } catch (fault) {
    if (!(fault instanceof UnreadableError)) throw fault;
    report(fault);
    return undefined;
  }
}
