import type { TurnEvent } from "../../ports/turn-event.ts";
import type { LaneText, TurnLog } from "../../ports/turn-log.ts";
import { laneTexts } from "../memory/lane-texts.ts";
import { MemoryTurnLog } from "../memory/memory-turn-log.ts";
import { parseEvents } from "./event-codec.ts";

/** What a row keeps of a log whose time is over: what `reset` shows, and the terminal event. */
interface CompactedLog {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
  readonly terminal: TurnEvent;
}

/** From the log of an ended turn, whose numbers begin after `afterSeq`, to what is kept of it, both as JSON. */
export function compactLog(text: string, afterSeq: number): string {
  // Errors stay as they were written.
  const events = JSON.parse(text) as TurnEvent[];
  const terminal = events.at(-1);
  if (terminal === undefined) throw new Error("An ended turn's log is empty.");
  const throughSeq = afterSeq + events.length - 1;
  return JSON.stringify({ throughSeq, lanes: laneTexts(events), terminal } satisfies CompactedLog);
}

/** The log out of what `compactLog` made. */
export async function openCompactedLog(text: string): Promise<TurnLog> {
  const { terminal, ...from } = parseEvents<CompactedLog>(text);
  const log = new MemoryTurnLog({ from, onBytes: () => undefined, onEnd: () => undefined });
  await log.append([terminal]);
  return log;
}
