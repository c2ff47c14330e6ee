import type { Clock } from "../ports/clock.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { BegunTurn } from "./running-turn.ts";
import { resumable, runsOn } from "./start-turn.ts";

interface DrainOptions {
  readonly clock: Clock;
  /** Maximum time to wait for turns. */
  readonly drainMs: number;
  /** The next process gets the turns that this one leaves. */
  readonly isLasting: boolean;
  /** Another server takes up at once the turns that this one leaves. */
  readonly handsOver: boolean;
}

/**
 * Waits for the running turns and then stops the rest. A turn that the next process can continue is left to it. The others end as
 * `interrupted`.
 */
export async function drainTurns(
  running: () => readonly BegunTurn[],
  { clock, drainMs, isLasting, handsOver }: DrainOptions,
): Promise<void> {
  const isKept = ({ turn, asked }: BegunTurn) => isLasting && resumable(asked, turn.record) !== undefined;
  // A turn that goes on at the vendor without this process only needs a checkpoint.
  async function whenReady(begun: BegunTurn): Promise<void> {
    const { turn, done } = begun;
    if (!isKept(begun) || !runsOn(begun.asked)) return done;
    await Promise.race([done, turn.checkpointed]);
    if (!handsOver || !turn.isCheckpointed()) return;
    turn.leave();
    return done;
  }
  const patience = new AbortController();
  await Promise.race([Promise.all(running().map(whenReady)), clock.sleep(drainMs, patience.signal)]);
  patience.abort();
  const stopped = running();
  for (const begun of stopped) {
    const { turn, asked } = begun;
    const canGoOn = turn.isCheckpointed() || asked.whenInterrupted === "restart";
    if (isKept(begun) && canGoOn) turn.leave();
    else turn.fail(new TroupeError("interrupted"));
  }
  await Promise.all(stopped.map(({ done }) => done));
}
