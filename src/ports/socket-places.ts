import type { Caller } from "./caller.ts";

/** A refusal of a socket: the whole server has the maximum, or the caller does. */
export interface NoPlace {
  readonly isServerFull: boolean;
  /** A sentence for the caller, in ASCII, that names the setting. */
  readonly message: string;
}

/**
 * The open sockets, over all processes that serve together.
 *
 * Contract: of any number of handshakes at the same time, in any of these processes, no more get a place than the limits allow. The
 * places of a dead process are free again.
 */
export interface SocketPlaces {
  /** Takes a place, or returns the refusal. The caller of `take` gives the place back with `leave`. */
  take(caller: Caller): Promise<NoPlace | undefined>;
  /** The answer that `take` would give now. */
  whyNone(caller: Caller): Promise<NoPlace | undefined>;
  leave(caller: Caller): Promise<void>;
}
