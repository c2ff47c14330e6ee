import { type Item, sourceItem, textMessage } from "../ports/item.ts";
import { type JsonObject, objectsIn } from "../ports/json.ts";
import type { FinishReason, ProviderEnd, Usage } from "../ports/provider.ts";
import type { AnswerSource, CancelReport } from "../ports/turn-event.ts";
import type { CallOutcome } from "../ports/usage-store.ts";
import type { TroupeError } from "../protocol/errors.ts";

/** The result of a lane. A failed call is a result: a lane throws only if its events cannot be stored. */
export interface LaneResult {
  readonly status: "completed" | "failed" | "cancelled";
  /** The text of all calls. */
  readonly text: string;
  /** Like `api`, `finishReason` and `response`, of the last call. */
  readonly model: string;
  /** The endpoint that answered, or was asked last. */
  readonly api: string;
  /** Whether a script answered instead of a model. */
  readonly simulated: boolean;
  readonly finishReason?: FinishReason;
  /** Of all calls together. */
  readonly usage?: Usage;
  /** The vendor's response object: the final one, or the first snapshot if the vendor did not get to its end. */
  readonly response?: JsonObject;
  /** The answer as items, if it is more than text. Absent if it is not whole, or of several calls. */
  readonly items?: readonly Item[];
  /** Its budget was used up before it came to an end. */
  readonly isCut?: true;
  readonly error?: TroupeError;
  readonly cancel?: CancelReport;
}

/** The outcome of a lane's last call. */
export function recordedOutcome({ status, finishReason, error }: LaneResult): CallOutcome {
  if (status === "completed" && finishReason === "budget") return "budget";
  return error?.code === "interrupted" ? "interrupted" : status;
}

/** Limits of one answer's sources. The rest is left out. */
const maxSources = 64;
const maxPlaces = 64;
const maxChars = 128 * 1024;

type Answer = Pick<ProviderEnd, "items" | "response">;

/**
 * The sources of an answer, each address once: its items, and the annotations of its response object in their order. `before` is the length
 * of the lane's text before this answer. Places are in code units of the lane's text.
 */
export function sourcesOf({ items = [], response }: Answer, before: number): AnswerSource[] {
  const sources = new Sources();
  for (const item of items) if (item.type === "source") sources.note(item);
  let start = before;
  for (const part of partsIn(response)) {
    const text = part.text ?? part.refusal;
    const length = typeof text === "string" ? text.length : 0;
    for (const annotation of objectsIn(part.annotations))
      if (annotation.type === "url_citation")
        sources.note(annotation, placeIn(annotation, { start, length }));
    start += length;
  }
  return sources.all();
}

/** The items of an answer with all its sources, as they are stored with it. `undefined` if it is only text. */
export function itemsWithSources(
  items: readonly Item[] | undefined,
  sources: readonly AnswerSource[],
  text: string,
): readonly Item[] | undefined {
  const known = new Set(items?.map((item) => (item.type === "source" ? item.url : undefined)));
  const more = sources
    .filter(({ url }) => !known.has(url))
    .flatMap(({ url, title }) => sourceItem(url, title) ?? []);
  if (more.length === 0) return items;
  return [...(items ?? (text === "" ? [] : [textMessage("assistant", text)])), ...more];
}

type Place = NonNullable<AnswerSource["places"]>[number];

class Sources {
  readonly #sources = new Map<string, { readonly title: string | undefined; readonly places: Place[] }>();
  #chars = 0;

  note(told: { readonly url?: unknown; readonly title?: unknown }, place?: Place): void {
    const source = sourceItem(told.url, told.title);
    if (source === undefined) return;
    const { url, title } = source;
    const known = this.#sources.get(url);
    if (known !== undefined) {
      if (place !== undefined && known.places.length < maxPlaces) known.places.push(place);
      return;
    }
    // Vendors give a source without a title its address as one.
    const named = told.title === url ? undefined : title;
    this.#chars += url.length + (named?.length ?? 0);
    if (this.#sources.size >= maxSources || this.#chars > maxChars) return;
    this.#sources.set(url, { title: named, places: place === undefined ? [] : [place] });
  }

  all(): AnswerSource[] {
    return [...this.#sources].map(([url, { title, places }], index) => ({
      index,
      url,
      ...(title === undefined ? {} : { title }),
      ...(places.length === 0 ? {} : { places }),
    }));
  }
}

/** The part of the text that an annotation is about, if it tells one that lies inside of its text. */
function placeIn(
  { start_index: start, end_index: end }: JsonObject,
  text: { readonly start: number; readonly length: number },
): Place | undefined {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return undefined;
  const [from, to] = [Number(start), Number(end)];
  if (from < 0 || to <= from || to > text.length) return undefined;
  return { start: text.start + from, end: text.start + to };
}

/** The parts of all messages of a response object. */
function partsIn(response: JsonObject | undefined): JsonObject[] {
  return objectsIn(response?.output)
    .filter(({ type }) => type === "message")
    .flatMap(({ content }) => objectsIn(content));
}
