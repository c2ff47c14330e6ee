import { TroupeError } from "../protocol/errors.ts";

/** When a request may have ended that holds what another one needs. */
const retryAfterMs = 1_000;

export interface HeldBytesOptions {
  readonly maxBytes: number;
  /** What the refusal of bytes without room says. */
  readonly code: "too_many_requests" | "overloaded";
  /** Whose requests they are, to begin a sentence with. */
  readonly whose: string;
  /** Hears that nothing is held any more. */
  readonly onEmpty?: () => void;
}

/** The memory that the requests of a connection, of an owner, or of a whole server hold, and how much it may be. */
export class HeldBytes {
  bytes = 0;
  readonly #options: HeldBytesOptions;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
  }

  /** `own`: held by who asks for more. One request always has room if nothing else is held: the wire allows it. */
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

/** What one request holds, of every limit that it counts in. */
export class Hold {
  bytes = 0;
  readonly #limits: readonly HeldBytes[];
  #isReleased = false;

  /** Throws the refusal of the first limit that has no room, and holds nothing then. `mayExceed`: every limit has room. */
  constructor(limits: readonly HeldBytes[], bytes: number, mayExceed = false) {
    this.#limits = limits;
    if (mayExceed) this.#change(bytes);
    else this.resize(bytes);
  }

  /** It holds so much from now on. Throws the refusal of the first limit that has no room, and changes nothing then. */
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

/** The memory that all requests of a server hold, and those of each owner. */
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

  /** Held by all together. */
  get bytes(): number {
    return this.#inAll.bytes;
  }

  /**
   * Counts a request in, and in `limits` of its own as well. `mayExceed`: whatever the limits are.
   * Throws `too_many_requests`, `overloaded`.
   */
  hold(owner: string, bytes: number, limits: readonly HeldBytes[] = [], mayExceed = false): Hold {
    const ofOwner = this.#byOwner.get(owner) ?? this.#add(owner);
    try {
      return new Hold([...limits, ofOwner, this.#inAll], bytes, mayExceed);
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
