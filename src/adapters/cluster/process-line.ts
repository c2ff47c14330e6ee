import type { Worker } from "node:cluster";
import type { Line } from "./line.ts";

/** The line between the processes of a cluster: from the first one to a worker, or from a worker's own process to the first one. */
export function processLine(end: Worker | NodeJS.Process): Line {
  // What cannot be sent any more is told by the end of the line.
  const ignoreEnd = () => undefined;
  return {
    send: (message) => void end.send?.(message as object, undefined, undefined, ignoreEnd),
    onMessage: (listener) => void end.on("message", listener),
    onEnd: (listener) => void end.once("disconnect", listener),
  };
}
