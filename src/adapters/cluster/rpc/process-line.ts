import type { Worker } from "node:cluster";
import type { Line } from "./line.ts";

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
