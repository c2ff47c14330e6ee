import type { CloseName } from "../protocol/closes.ts";

/** The connection has ended, so nothing more can be sent. This is not a fault of the server. */
export class SocketEndedError extends Error {
  override readonly name = "SocketEndedError";
}

/** A whole text message. A long one is given as UTF-8 bytes, which all sockets that send it share, so they must not be changed. */
export type OutgoingMessage = string | Uint8Array;

/**
 * The sending half of one client's connection.
 *
 * Contract:
 * - `send` takes messages and writes them in order. If it returns true, the operating system has already taken them. If false, `onTaken`
 *   is called once, after `send` has returned: when they are taken, or with the cause when the connection has ended. Waiting for it makes
 *   a follower as slow as its reader;
 * - `close` starts an orderly close, after the messages accepted so far. A second call does nothing. `retryAfterMs` tells the client when
 *   to come back.
 */
export interface Socket {
  send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error | null) => void): boolean;
  close(name: CloseName, retryAfterMs?: number): void;
}
