import { itemLimits, type SourceItem, sourceItem } from "../../ports/item.ts";
import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";

/** Max annotations of an answer. */
const maxAnnotations = 1_024;

/** The sources that an answer tells of. Only the last list of each kind counts, because each chunk repeats it. */
export class Sources {
  #grounding: JsonObject = {};
  #citations: readonly JsonObject[] = [];

  note({ groundingMetadata, citationMetadata }: JsonObject): void {
    if (isObject(groundingMetadata)) this.#grounding = groundingMetadata;
    if (!isObject(citationMetadata)) return;
    // The Gemini API and Vertex AI have a name each.
    const { citationSources, citations = citationSources } = citationMetadata;
    this.#citations = objectsIn(citations).slice(0, itemLimits.sources);
  }

  /** The searches of the answer: Google's own description. */
  get searches(): JsonObject {
    return this.#grounding;
  }

  /** Each source once, as an item. */
  items(): SourceItem[] {
    const told = [...this.#places(), ...this.#citations].flatMap((place) => sourceOf(place) ?? []);
    return [...new Map(told.map((source) => [source.url, source])).values()].slice(0, itemLimits.sources);
  }

  /** The parts of the text with their sources, as annotations of the Responses API. */
  annotations(text: string): JsonObject[] {
    return [...this.#supported(text), ...this.#cited(text)].slice(0, maxAnnotations);
  }

  #places(): (JsonObject | undefined)[] {
    return objectsIn(this.#grounding.groundingChunks).map((chunk) => Object.values(chunk).find(isObject));
  }

  #supported(text: string): JsonObject[] {
    const sources = this.#places().map(sourceOf);
    let from = 0;
    // Each support is looked for in the whole text.
    return objectsIn(this.#grounding.groundingSupports)
      .slice(0, maxAnnotations)
      .flatMap(({ segment, groundingChunkIndices: indices }) => {
        const words = isObject(segment) && typeof segment.text === "string" ? segment.text : "";
        // Its own figures count bytes of one part; the words are the same in every count.
        const after = text.indexOf(words, from);
        const start = after < 0 ? text.indexOf(words) : after;
        if (words === "" || start < 0 || !Array.isArray(indices)) return [];
        from = start;
        const cited = indices.slice(0, itemLimits.sources).flatMap((index) => sources[Number(index)] ?? []);
        return cited.map((source) => annotationOf(source, start, start + words.length));
      });
  }

  #cited(text: string): JsonObject[] {
    if (this.#citations.length === 0) return [];
    const bytes = Buffer.from(text);
    const charsBefore = (place: unknown) => bytes.subarray(0, Number(place ?? 0)).toString().length;
    return this.#citations.flatMap((citation) => {
      const source = sourceOf(citation);
      if (source === undefined) return [];
      const { startIndex, endIndex = bytes.length } = citation;
      return [annotationOf(source, charsBefore(startIndex), charsBefore(endIndex))];
    });
  }
}

function sourceOf({ uri, title }: JsonObject = {}): SourceItem | undefined {
  return sourceItem(uri, title);
}

function annotationOf({ url, title = url }: SourceItem, start: number, end: number): JsonObject {
  return { type: "url_citation", url, title, start_index: start, end_index: end };
}
