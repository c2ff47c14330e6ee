import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** V8 compiles code as long as a program runs. These spaces hold no part of a request. */
const spacesOfCode = /^(shared_)?(code|trusted)_/;

/**
 * Bytes in use once nothing more can be freed. Compiled code is left out, and memory outside the heap is included. It
 * takes several collections, because some objects become free only after others are gone.
 */
export async function heapInUse(): Promise<number> {
  const inUse = () => {
    const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !spacesOfCode.test(name));
    return spaces.reduce((sum, space) => sum + space.space_used_size, process.memoryUsage().external);
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
