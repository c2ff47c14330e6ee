import { type BeatItem, charsOf, keysOf } from "./beat-item.ts";

/** Maximum text of one beat, characters, unless its first item has more. */
const maxChars = 262_144;
/** Maximum items of one beat. */
const maxItems = 500;

/** The outcome of an item: `refused` is a turn that did not begin, because its id or its place was taken. */
export type Outcome = "done" | "refused";

export interface QueuedItem {
  readonly item: BeatItem;
  readonly settled: PromiseWithResolvers<Outcome>;
}

/** The items that wait for a beat, in their order. */
export class BeatQueue {
  #waiting: QueuedItem[] = [];
  /** The last beat. */
  #taken: readonly QueuedItem[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Settles when all items of now, with those of the last beat, are committed or refused. */
  settled(): Promise<unknown> {
    return Promise.allSettled([...this.#taken, ...this.#waiting].map(({ settled }) => settled.promise));
  }

  add(item: BeatItem): Promise<Outcome> {
    const settled = Promise.withResolvers<Outcome>();
    this.#waiting.push({ item, settled });
    return settled.promise;
  }

  /** The next beat. An item that changes a row of an earlier item waits, and so do all later items of the same rows. */
  take(): QueuedItem[] {
    const taken: QueuedItem[] = [];
    const left: QueuedItem[] = [];
    const keys = new Set<string>();
    let chars = 0;
    for (const queued of this.#waiting) {
      const own = keysOf(queued.item);
      const size = charsOf(queued.item);
      const hasRoom = taken.length === 0 || (taken.length < maxItems && chars + size <= maxChars);
      if (hasRoom && own.every((key) => !keys.has(key))) {
        taken.push(queued);
        chars += size;
      } else left.push(queued);
      for (const key of own) keys.add(key);
    }
    this.#waiting = left;
    this.#taken = taken;
    return taken;
  }

  /** Takes everything out, for an end without a beat. */
  drain(): QueuedItem[] {
    return this.#waiting.splice(0);
  }
}
