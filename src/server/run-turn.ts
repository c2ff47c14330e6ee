import type { Reply } from "../chat/reply.ts";
import { Departure } from "../ports/provider.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createOpenLanes } from "./open-lanes.ts";

export interface TurnWatch {
  /** Sees what was kept, after it was kept. */
  readonly observe: (steps: readonly TurnStep[]) => void;
  /** Whether the turn is another process's from now on. */
  readonly isLeft: () => boolean;
}

/**
 * Writes a reply into its log and, whatever happens, exactly one terminal event behind it: the only place that does.
 * Returns that event; `undefined` for a turn that was left, whose log stays as it is.
 */
export async function runTurn(
  log: TurnLog,
  reply: Reply,
  { observe, isLeft }: TurnWatch,
): Promise<TerminalEvent | undefined> {
  let terminal: TerminalEvent;
  const lanes = createOpenLanes();
  try {
    let step = await reply.next();
    while (step.done !== true) {
      if (isLeft()) {
        // What came is the end that the stop itself has made.
        await reply.throw(new Departure());
        return undefined;
      }
      await log.append(step.value);
      lanes.observe(step.value);
      observe(step.value);
      step = await reply.next();
    }
    terminal = step.value;
    await log.append([terminal]);
    return terminal;
  } catch (thrown) {
    if (isLeft()) return undefined;
    terminal = { type: "failure", error: TroupeError.from(thrown) };
  }
  // A reply ends its lanes itself, unless what it said of them could not be kept.
  await log.append([...lanes.finalTexts(), terminal]);
  return terminal;
}
