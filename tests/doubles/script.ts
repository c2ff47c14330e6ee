/** Text (sent as UTF-8), or bytes as they are. */
export type Bytes = string | Uint8Array;

/** How a body ends: by chunks, by closing the connection (no length, `connection: close`), or by a length in bytes. */
export type Framing = "chunked" | "until-close" | { readonly lengthBytes: number };

/** Status line and headers of an answer. The player adds the headers that the framing needs. */
export interface Head {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly framing: Framing;
}

/**
 * One step on the connection of a call. Each write is one packet: the next step waits until the kernel has taken it and a
 * reader in the same process has had its turn.
 */
export type Step =
  /** Status line and headers; must come before the first `write`. */
  | { readonly head: Head }
  /** Body bytes; one chunk if the body is chunked. */
  | { readonly write: Bytes }
  /** Bytes outside any framing, for a cut inside a chunk's own lines. */
  | { readonly writeRaw: Bytes }
  /** Goes on when the promise settles or the client has left. A function is called each time. */
  | { readonly waitFor: PromiseLike<unknown> | (() => PromiseLike<unknown>) }
  /** Real time, in milliseconds. Only for load and measurement, never for a test. */
  | { readonly delayMs: number }
  /** Repeats the steps until the client has left. */
  | { readonly repeat: readonly Step[] }
  /** From here on, the script goes on even if the client closes its side, until the kernel refuses its bytes. */
  | { readonly ignoreAbort: true }
  /** Sends nothing more. The connection stays open until the client has left. */
  | { readonly hang: true }
  /** Sends a TCP RST. */
  | { readonly reset: true }
  /** Sends FIN at once and leaves the body unfinished. */
  | { readonly fin: true }
  /** Ends the body as its framing demands, then sends FIN. */
  | { readonly end: true };

/**
 * The double's whole reaction to one call, as data. A script that runs out ends the body properly and leaves the
 * connection open for the next call, unless its head says `connection: close`.
 */
export type Script = readonly Step[];

/** A gate that a test opens when it is ready, so that no test waits for time to pass. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** Returns a closed gate. */
export function createGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** The bytes of a text (UTF-8), or the given bytes unchanged. */
export function toBytes(bytes: Bytes): Uint8Array {
  return typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
}

/** Cuts into pieces of `size` bytes (at least 1); the last one may be shorter. Cuts may fall inside characters. */
export function splitEvery(bytes: Bytes, size: number): Uint8Array[] {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`piece size must be at least 1, got ${size}`);
  const whole = toBytes(bytes);
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < whole.length; start += size) pieces.push(whole.subarray(start, start + size));
  return pieces;
}

/** Cuts before each of the given byte positions (ascending, inside the bytes). n positions give n + 1 pieces. */
export function splitAt(bytes: Bytes, positions: readonly number[]): Uint8Array[] {
  const whole = toBytes(bytes);
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const position of [...positions, whole.length]) {
    if (position <= start || position > whole.length) {
      throw new RangeError(`cut at ${position} does not lie between ${start} and ${whole.length}`);
    }
    pieces.push(whole.subarray(start, position));
    start = position;
  }
  return pieces;
}
