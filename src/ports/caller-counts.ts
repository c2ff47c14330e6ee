import type { Caller, CallerLimits } from "./caller.ts";

/** A limit that is reached: of a key, or of a group of callers. */
interface FullCount {
  /** The start of a sentence about the limit, such as `This key`. */
  readonly name: string;
  readonly max: number;
  readonly isKey: boolean;
}

/** Counts how many sockets or requests each key and each group of callers has at the same time. */
export class CallerCounts {
  readonly #limit: "connections" | "requestsInFlight";
  readonly #maxPerKey: number;
  readonly #byName = new Map<string, number>();
  /** The count of all callers together. */
  inAll = 0;

  /** `maxPerKey` is for keys that have no such limit of their own. */
  constructor(limit: keyof CallerLimits & ("connections" | "requestsInFlight"), maxPerKey: number) {
    this.#limit = limit;
    this.#maxPerKey = maxPerKey;
  }

  /** The limit that keeps the caller from having one more: first its key's, then those of its groups. */
  fullFor({ keyId, limits, groups = [] }: Caller): FullCount | undefined {
    const max = limits[this.#limit] ?? this.#maxPerKey;
    if (this.#countOf(`key ${keyId}`) >= max) return { name: "This key", max, isKey: true };
    for (const { id, name, limits: ofGroup } of groups) {
      const max = ofGroup[this.#limit] ?? Infinity;
      if (this.#countOf(`group ${id}`) >= max) return { name, max, isKey: false };
    }
    return undefined;
  }

  add({ keyId, groups = [] }: Caller, change: 1 | -1): void {
    this.inAll += change;
    this.#add(`key ${keyId}`, change);
    for (const { id } of groups) this.#add(`group ${id}`, change);
  }

  #countOf(name: string): number {
    return this.#byName.get(name) ?? 0;
  }

  #add(name: string, change: number): void {
    const count = this.#countOf(name) + change;
    if (count === 0) this.#byName.delete(name);
    else this.#byName.set(name, count);
  }
}
