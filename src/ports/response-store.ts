import type { Item } from "./item.ts";

/** A response that a later request of the same caller can continue by its id. */
export interface KeptResponse {
  readonly id: string;
  /** The response that it continues. */
  readonly previousId?: string;
  /** The input of its request, then its answer. */
  readonly items: readonly Item[];
}

/**
 * Keeps responses with their items, because most providers keep none, and one that does may lose them. With the items any provider can
 * continue a response.
 *
 * Contract:
 * - `keep` settles once the response is as durable as a turn's log. It is stored no later than anything appended to a log after the call.
 *   It is kept as long as a turn's answer. A response of more than `maxResponseChars` is not kept. An id that is kept again is the last
 *   one's, and a store may drop the oldest responses if it lacks room;
 * - `context` returns the items of a response and of those before it, oldest first. If they have more than `maxChars` as JSON, the oldest
 *   responses are left out, but never the one that was named. It returns `undefined` if one of the others is not kept, belongs to another
 *   owner, or cannot be read.
 */
export interface ResponseStore {
  keep(owner: string, response: KeptResponse): Promise<void>;
  context(owner: string, id: string, maxChars: number): Promise<readonly Item[] | undefined>;
}

/** Maximum JSON of the items of one kept response, UTF-16 code units. */
export const maxResponseChars = 2 * 1024 * 1024;

/** Maximum number of responses in one context. */
export const maxChain = 1_000;
