import { TroupeError } from "../protocol/errors.ts";

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
