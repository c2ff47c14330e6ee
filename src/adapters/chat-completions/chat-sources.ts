import { itemLimits, type SourceItem, sourceItem } from "../../ports/item.ts";
import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";

/**
 * The sources that chunks tell of: Perplexity's `citations` and `search_results` beside the choices, which every chunk repeats, and
 * OpenRouter's annotations in the deltas.
 */
export class ChatSources {
  #listed: readonly SourceItem[] = [];
  readonly #annotations: JsonObject[] = [];

  note({ citations, search_results: results }: JsonObject, delta: JsonObject): void {
    // The marks in the text count the citations, and only the results have titles.
    const listed = [...listIn(citations), ...listIn(results)].flatMap(sourceIn);
    if (listed.length > 0) this.#listed = unique(listed).slice(0, itemLimits.sources);
    for (const annotation of objectsIn(delta.annotations))
      if (this.#annotations.length < itemLimits.sources) this.#annotations.push(...citationIn(annotation));
  }

  /** Each source once; annotations have theirs in the response object. */
  items(): readonly SourceItem[] {
    return this.#listed;
  }

  /** The parts of the text with their sources, as annotations of the Responses API. */
  annotations(text: string): JsonObject[] {
    return [...this.#marked(text), ...this.#annotations];
  }

  /** Perplexity's text has a mark such as `[2]` for the second source. */
  #marked(text: string): JsonObject[] {
    if (this.#listed.length === 0) return [];
    return [...text.matchAll(/\[(\d{1,3})\]/g)]
      .slice(0, itemLimits.sources)
      .flatMap(({ 0: mark, 1: number, index }) => {
        const source = this.#listed[Number(number) - 1];
        if (source === undefined) return [];
        const { url, title = url } = source;
        return [{ type: "url_citation", url, title, start_index: index, end_index: index + mark.length }];
      });
  }
}

function citationIn({ type, url_citation: citation }: JsonObject): JsonObject[] {
  if (type !== "url_citation" || !isObject(citation)) return [];
  const { start_index, end_index } = citation;
  const source = sourceItem(citation.url, citation.title);
  if (source === undefined) return [];
  const { url, title = url } = source;
  const hasPlace = Number.isSafeInteger(start_index) && Number.isSafeInteger(end_index);
  return [{ type, url, title, ...(hasPlace ? { start_index, end_index } : {}) }];
}

function sourceIn(given: unknown): SourceItem | readonly [] {
  const { url, title }: JsonObject = isObject(given)
    ? given
    : { url: typeof given === "string" ? given : null };
  return sourceItem(url, title) ?? [];
}

function unique(sources: readonly SourceItem[]): SourceItem[] {
  const known = new Map<string, SourceItem>();
  for (const source of sources) known.set(source.url, { ...source, ...known.get(source.url) });
  return [...known.values()];
}

function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
