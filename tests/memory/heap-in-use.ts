import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in use when nothing more can be freed, those beside the heap included: some things are let go of only when others are gone. */
export async function heapInUse(): Promise<number> {
  const inUse = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  let [least, before] = [inUse(), Number.POSITIVE_INFINITY];
  while (least < before) {
    before = least;
    for (let count = 0; count < 3; count += 1) {
      await nextLoopTurn();
      collect();
    }
    least = Math.min(least, inUse());
  }
  return least;
}
