import type { Emit } from "../chat/chat-context.ts";
import type { ReplyEnd } from "../chat/reply.ts";
import type { TerminalEvent } from "../ports/turn-event.ts";
import type { TurnLog } from "../ports/turn-log.ts";
import { TroupeError } from "../protocol/errors.ts";
import { createOpenLanes } from "./open-lanes.ts";
import { type TurnWatch, TurnWriter } from "./turn-writer.ts";

export interface RunTurnOptions extends TurnWatch {
  /** The persona to blame for a failure, if there is only one. */
  readonly onlyLane?: string | undefined;
}

/**
 * Writes a reply into its log, followed in every case by exactly one terminal event. No other code writes that event.
 * Returns the event; `undefined` for a turn that was left, whose log stays as it is.
 */
export async function runTurn(
  log: Pick<TurnLog, "append">,
  reply: (emit: Emit) => Promise<ReplyEnd>,
  { observe, isLeft, onlyLane }: RunTurnOptions,
): Promise<TerminalEvent | undefined> {
  const lanes = createOpenLanes();
  const writer = new TurnWriter(log, {
    isLeft,
    observe(steps) {
      lanes.observe(steps);
      observe(steps);
    },
  });
  try {
    const end = await reply(writer.emit);
    await writer.end(() => [end]);
    return end;
  } catch (thrown) {
    if (isLeft()) return undefined;
    const failure: TerminalEvent = {
      type: "failure",
      error: TroupeError.from(thrown),
      ...(onlyLane === undefined ? {} : { lane: onlyLane }),
    };
    // A reply ends its lanes itself, unless their last events could not be stored.
    await writer.end(() => [...lanes.finalTexts(), failure]);
    return failure;
  }
}
