import type { Caller, CallerLimits } from "./caller.ts";

/** Whose limit is reached: a key, or a group of callers. */
export interface FullCount {
  /** Begins a sentence about the limit, as `This key`. */
  readonly name: string;
  readonly max: number;
  readonly isKey: boolean;
}

/** How much of one thing each key has at the same time, and each group of callers. */
export class CallerCounts {
  readonly #limit: "connections" | "requestsInFlight";
  readonly #maxPerKey: number;
  readonly #byName = new Map<string, number>();
  /** Of all callers. */
  inAll = 0;

  /** `maxPerKey`: of a key whose own limits say nothing else. */
  constructor(limit: keyof CallerLimits & ("connections" | "requestsInFlight"), maxPerKey: number) {
    this.#limit = limit;
    this.#maxPerKey = maxPerKey;
  }

  /** Why the caller may have no more: its key's limit, then those of its groups. */
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
