import type { CloseName } from "../protocol/closes.ts";

/** The connection has ended: what was to be sent reaches nobody, which is no fault of the server's. */
export class SocketEndedError extends Error {
  override readonly name = "SocketEndedError";
}

/**
 * A whole text message. A long one comes as its UTF-8, which all sockets that send it share, and which nobody changes.
 */
export type OutgoingMessage = string | Uint8Array;

/**
 * The sending half of one client's connection.
 *
 * Contract:
 * - `send` takes messages and writes them in order. True: the operating system has taken them already. False: `onTaken` is
 *   called once, after `send` has returned: when they were taken, which is what makes a slow reader slow down its follower, or with the cause
 *   when the connection has ended;
 * - `close` starts an orderly close; messages accepted earlier go first; a second call does nothing. `retryAfterMs` tells the client
 *   when to come back.
 */
export interface Socket {
  send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error | null) => void): boolean;
  close(name: CloseName, retryAfterMs?: number): void;
}
