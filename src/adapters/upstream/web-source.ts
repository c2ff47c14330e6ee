import { itemLimits, type SourceItem } from "../../ports/item.ts";

/** Max sources of one answer, because a vendor may tell of any number. */
export const maxSources = 256;

/** A source with an address of the web, within the limits of items that are stored. Any other address gives `undefined`. */
export function webSource(url: unknown, title: unknown): SourceItem | undefined {
  if (typeof url !== "string" || !/^https?:/.test(url) || url.length > itemLimits.urlChars) return undefined;
  const named = typeof title === "string" && title !== "" ? title.slice(0, itemLimits.nameChars) : undefined;
  return { type: "source", url, ...(named === undefined ? {} : { title: named }) };
}
