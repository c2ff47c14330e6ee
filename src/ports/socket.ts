import type { CloseName } from "../protocol/closes.ts";

/** The connection has ended: what was to be sent reaches nobody, which is no fault of the server's. */
export class SocketEndedError extends Error {
  override readonly name = "SocketEndedError";
}

/**
 * The sending half of one client's connection.
 *
 * Contract:
 * - `send` takes whole text messages and writes them in order. True: the operating system has taken them already. False: `onTaken` is
 *   called once, after `send` has returned: when they were taken, which is what makes a slow reader slow down its follower, or with the cause
 *   when the connection has ended;
 * - `close` starts an orderly close; messages accepted earlier go first; a second call does nothing. `retryAfterMs` tells the client
 *   when to come back.
 */
export interface Socket {
  send(texts: readonly string[], onTaken: (cause?: Error | null) => void): boolean;
  close(name: CloseName, retryAfterMs?: number): void;
}
