import type { Caller } from "./caller.ts";

/** Why a caller gets no socket: the server as a whole has as many as it may, or the caller has. */
export interface NoPlace {
  readonly isServerFull: boolean;
  /** A sentence in ASCII for the caller, with the setting. */
  readonly message: string;
}

/**
 * The sockets that are open, in all processes that serve together.
 *
 * Contract: of any number of handshakes at the same time, in any of these processes, no more are given a place than the limits allow.
 * The places of a process that is gone are free again.
 */
export interface SocketPlaces {
  /** Takes a place, which whoever took it gives back with `leave`; or says why there is none. */
  take(caller: Caller): Promise<NoPlace | undefined>;
  /** What `take` would say now. */
  whyNone(caller: Caller): Promise<NoPlace | undefined>;
  leave(caller: Caller): Promise<void>;
}
