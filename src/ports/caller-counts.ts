import type { Caller, CallerLimits } from "./caller.ts";

/** A limit of a key, or of a group of callers. */
interface CallerLimit {
  /** A name that no other key or group has. */
  readonly counted: string;
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
  fullFor(caller: Caller): CallerLimit | undefined {
    return this.limitsOf(caller).find(({ counted, max }) => this.#countOf(counted) >= max);
  }

  /** The limits of a caller: first its key's, then those of its groups. */
  limitsOf({ keyId, limits, groups = [] }: Caller): CallerLimit[] {
    const max = limits[this.#limit] ?? this.#maxPerKey;
    return [
      { counted: `key ${keyId}`, name: "This key", max, isKey: true },
      ...groups.map(({ id, name, limits: ofGroup }) => {
        return { counted: `group ${id}`, name, max: ofGroup[this.#limit] ?? Infinity, isKey: false };
      }),
    ];
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
