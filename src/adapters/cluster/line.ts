/**
 * A line to another process.
 *
 * Contract: what is sent arrives there as a copy, in order and once, as long as the line holds; when it has ended, `onEnd` is told
 * once and what is sent reaches nobody.
 */
export interface Line {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onEnd(listener: () => void): void;
}
