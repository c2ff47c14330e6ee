import { setImmediate as nextLoopTurn } from "node:timers/promises";

/** Passes turns of the event loop until `isSo` returns true. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn > 2_000_000) throw new Error("it does not come about");
    await nextLoopTurn();
  }
}
