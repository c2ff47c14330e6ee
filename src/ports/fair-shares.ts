import { TroupeError } from "../protocol/errors.ts";
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

/** By then another request may have ended and freed its memory. */
const retryAfterMs = 1_000;

interface HeldBytesOptions {
  readonly maxBytes: number;
  /** The code of the refusal if there is no room. */
  readonly code: "too_many_requests" | "overloaded";
  /** The start of a sentence that names the owner of the requests. */
  readonly whose: string;
  /** Called when nothing is held any more. */
  readonly onEmpty?: () => void;
}

/** The memory that the requests of a connection, an owner or a whole server hold, with its limit. */
export class HeldBytes {
  bytes = 0;
  readonly #options: HeldBytesOptions;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
  }

  /**
   * `own`: the bytes already held by the request that asks. One request always has room if nothing else is held, because the wire allows
   * it.
   */
  hasRoomFor(bytes: number, own: number): boolean {
    return this.bytes === own || this.bytes + bytes <= this.#options.maxBytes;
  }

  refusal(): TroupeError {
    const { code, whose, maxBytes } = this.#options;
    return new TroupeError(code, { detail: `${whose} may hold ${maxBytes} bytes.`, retryAfterMs });
  }

  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes === 0) this.#options.onEmpty?.();
  }
}

/** The memory that one request holds, counted in several limits. */
export class Hold {
  bytes = 0;
  readonly #limits: readonly HeldBytes[];
  #isReleased = false;

  /** Throws the refusal of the first limit that has no room, and then holds nothing. `mayExceed` ignores the limits. */
  constructor(limits: readonly HeldBytes[], bytes: number, mayExceed = false) {
    this.#limits = limits;
    if (mayExceed) this.#change(bytes);
    else this.resize(bytes);
  }

  /** Sets the bytes held. Throws the refusal of the first limit that has no room, and then changes nothing. */
  resize(bytes: number): void {
    if (this.#isReleased) return;
    const change = bytes - this.bytes;
    const full = change > 0 ? this.#limits.find((limit) => !limit.hasRoomFor(change, this.bytes)) : undefined;
    if (full !== undefined) throw full.refusal();
    this.#change(change);
  }

  /** Gives everything back; later calls change nothing. */
  release(): void {
    this.resize(0);
    this.#isReleased = true;
  }

  #change(by: number): void {
    this.bytes += by;
    for (const limit of this.#limits) limit.add(by);
  }
}

/** The memory that all requests of a server hold, and the requests of each owner. */
export class HeldByOwners {
  readonly #maxBytesPerOwner: number;
  readonly #inAll: HeldBytes;
  readonly #byOwner = new Map<string, HeldBytes>();

  constructor({
    maxBytesPerOwner,
    maxBytes,
  }: { readonly maxBytesPerOwner: number; readonly maxBytes: number }) {
    this.#maxBytesPerOwner = maxBytesPerOwner;
    this.#inAll = new HeldBytes({ maxBytes, code: "overloaded", whose: "All requests together" });
  }

  /** Bytes held by all requests together. */
  get bytes(): number {
    return this.#inAll.bytes;
  }

  /**
   * Counts a request here and in its own `limits`. `mayExceed` ignores all of them.
   * Throws `too_many_requests`, `overloaded`.
   */
  hold(owner: string, bytes: number, limits: readonly HeldBytes[] = [], mayExceed = false): Hold {
    const ofOwner = this.#byOwner.get(owner) ?? this.#add(owner);
    try {
      return new Hold(limits.concat(ofOwner, this.#inAll), bytes, mayExceed);
    } finally {
      if (ofOwner.bytes === 0) this.#byOwner.delete(owner);
    }
  }

  #add(owner: string): HeldBytes {
    const added = new HeldBytes({
      maxBytes: this.#maxBytesPerOwner,
      code: "too_many_requests",
      whose: "The requests of one caller",
      onEmpty: () => this.#byOwner.delete(owner),
    });
    this.#byOwner.set(owner, added);
    return added;
  }
}

/** A queue in which owners take turns; the items of one owner keep their order. */
export class FairQueue<T> {
  /** In the order of the owners' turns. */
  readonly #owners = new Map<string, T[]>();

  get isEmpty(): boolean {
    return this.#owners.size === 0;
  }

  add(owner: string, item: T): void {
    const items = this.#owners.get(owner);
    if (items === undefined) this.#owners.set(owner, [item]);
    else items.push(item);
  }

  /** The oldest item of the owner whose turn it is. That owner's next turn comes after those of all others. */
  take(): T | undefined {
    for (const [owner, items] of this.#owners) {
      const item = items.shift();
      this.#owners.delete(owner);
      if (items.length > 0) this.#owners.set(owner, items);
      return item;
    }
    return undefined;
  }

  /** Takes out every item that is `due`, without a turn. */
  takeAll(due: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (const [owner, items] of this.#owners) {
      const left = items.filter((item) => !due(item));
      if (left.length === items.length) continue;
      taken.push(...items.filter(due));
      if (left.length === 0) this.#owners.delete(owner);
      else this.#owners.set(owner, left);
    }
    return taken;
  }
}
