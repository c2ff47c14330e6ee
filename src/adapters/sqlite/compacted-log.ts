import type { TurnEvent } from "../../ports/turn-event.ts";
import type { LaneText, TurnLog } from "../../ports/turn-log.ts";
import { parseEvents } from "../turn-log/event-codec.ts";
import { laneTexts, MemoryTurnLog } from "../turn-log/memory-turn-log.ts";

/** The part of a log that its row keeps after its time: the texts that `reset` shows, and the terminal event. */
interface CompactedLog {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
  readonly terminal: TurnEvent;
}

/** Compacts the log of an ended turn, whose numbers start after `afterSeq`. Takes and returns JSON. */
export function compactLog(text: string, afterSeq: number): string {
  // Not `parseEvents`: the errors are stored again as they were written.
  const events = JSON.parse(text) as TurnEvent[];
  const terminal = events.at(-1);
  if (terminal === undefined) throw new Error("An ended turn's log is empty.");
  const throughSeq = afterSeq + events.length - 1;
  return JSON.stringify({ throughSeq, lanes: laneTexts(events), terminal } satisfies CompactedLog);
}

/** Opens a log from the JSON that `compactLog` returned. */
export async function openCompactedLog(text: string): Promise<TurnLog> {
  const { terminal, ...from } = parseEvents<CompactedLog>(text);
  const log = new MemoryTurnLog({ from, onBytes: () => undefined, onEnd: () => undefined });
  await log.append([terminal]);
  return log;
}
