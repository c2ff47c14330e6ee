import type { Reply } from "../chat/reply.ts";
import type { TerminalEvent, TurnStep } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createOpenLanes } from "./open-lanes.ts";

/**
 * Writes a reply into its log and, whatever happens, exactly one terminal event behind it: the only place that does.
 * Returns that event. `onSteps` sees what was kept, after it was kept.
 */
export async function runTurn(
  log: TurnLog,
  reply: Reply,
  onSteps: (steps: readonly TurnStep[]) => void,
): Promise<TerminalEvent> {
  let terminal: TerminalEvent;
  const lanes = createOpenLanes();
  try {
    let step = await reply.next();
    while (step.done !== true) {
      await log.append(step.value);
      lanes.observe(step.value);
      onSteps(step.value);
      step = await reply.next();
    }
    terminal = step.value;
    await log.append([terminal]);
    return terminal;
  } catch (thrown) {
    terminal = { type: "failure", error: TroupeError.from(thrown) };
  }
  // A reply ends its lanes itself, unless what it said of them could not be kept.
  await log.append([...lanes.finalTexts(), terminal]);
  return terminal;
}
