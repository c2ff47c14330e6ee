import type { CloseName } from "../protocol/closes.ts";

/**
 * The sending half of one client's connection.
 *
 * Contract:
 * - `send` takes whole text messages, writes them in order and settles when the operating system has taken them, which is what
 *   makes a slow reader slow down its follower; it rejects when the connection has ended;
 * - `close` starts an orderly close; messages accepted earlier go first; a second call does nothing.
 */
export interface Socket {
  send(texts: readonly string[]): Promise<void>;
  close(name: CloseName): void;
}
