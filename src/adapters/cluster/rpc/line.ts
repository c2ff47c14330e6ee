/**
 * A line to another process.
 *
 * Contract: as long as the line holds, each message arrives once, in order and as a copy. When it has ended, `onEnd` is called once, and
 * later messages are lost.
 */
export interface Line {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onEnd(listener: () => void): void;
}
