import type { Worker } from "node:cluster";
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

/** The line between the processes of a cluster: from the primary to a worker, or from a worker's own process to the primary. */
export function processLine(end: Worker | NodeJS.Process): Line {
  // A failed `send` needs no report, because the line ends as well.
  const ignoreEnd = () => undefined;
  return {
    send: (message) => void end.send?.(message as object, undefined, undefined, ignoreEnd),
    onMessage: (listener) => void end.on("message", listener),
    onEnd: (listener) => void end.once("disconnect", listener),
  };
}
