import type { TurnEvent } from "../../ports/turn-event.ts";
import { isEvent, isTerminal } from "../../ports/turn-event.ts";
import type { LaneText, LogBatch, LoggedEvent, TurnLog } from "../../ports/turn-log.ts";
import { laneTexts } from "./lane-texts.ts";

/** Most events of one batch, so that a follower far behind does not copy a whole log at once. */
const batchEvents = 256;
/** Rough size of an event beside its text: the object, its place in the list and its number. */
const eventBytes = 120;

/** What stands for the beginning of a log that is no longer kept. */
interface Trimmed {
  readonly throughSeq: number;
  readonly lanes: readonly LaneText[];
}

/**
 * A turn's events in an array; `trim` replaces all but the terminal by the lanes' text. `onBytes` hears by how much the
 * estimated size changed, `onEnd` that the terminal event was appended. `from` is a beginning that was trimmed before.
 */
export function createMemoryTurnLog({
  onEnd,
  onBytes,
  from = { throughSeq: 0, lanes: [] },
}: {
  onEnd: () => void;
  onBytes: (change: number) => void;
  from?: Trimmed;
}) {
  let events: LoggedEvent[] = [];
  let trimmed = from;
  let headSeq = from.throughSeq;
  let ended = false;
  let bytes = 0;
  const waiting = new Set<() => void>();

  function resize(to: number): void {
    onBytes(to - bytes);
    bytes = to;
  }

  function wakeAll(): void {
    for (const wake of waiting) wake();
    waiting.clear();
  }

  function untilAppended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        resolve();
      };
      waiting.add(settle);
      signal.addEventListener("abort", settle, { once: true });
    });
  }

  const log: TurnLog = {
    get headSeq() {
      return headSeq;
    },
    get ended() {
      return ended;
    },
    async append(steps) {
      const added = steps.filter(isEvent);
      if (ended) throw new Error("This turn's log has its terminal event already.");
      // Before anything is kept: followers would wait for ever behind half an append.
      if (added.slice(0, -1).some(isTerminal)) throw new Error("Nothing may follow the terminal event.");
      let size = bytes;
      for (const event of added) {
        headSeq += 1;
        events.push({ seq: headSeq, event });
        size += sizeOf(event);
        ended = isTerminal(event);
      }
      resize(size);
      wakeAll();
      if (ended) onEnd();
    },
    async *follow({ after, signal }): AsyncGenerator<LogBatch> {
      let position = after;
      while (!signal.aborted) {
        if (position < trimmed.throughSeq) {
          position = trimmed.throughSeq;
          yield { type: "trimmed", throughSeq: position, lanes: trimmed.lanes };
        } else if (position < headSeq) {
          const start = position - trimmed.throughSeq;
          const batch = events.slice(start, start + batchEvents);
          position += batch.length;
          yield { type: "events", events: batch };
        } else if (ended) {
          return;
        } else {
          await untilAppended(signal);
        }
      }
    },
  };

  return {
    log,
    /** What the log holds in memory, estimated. */
    get bytes(): number {
      return bytes;
    },
    /** Gives up all events but the terminal one; only for an ended log. */
    trim(): void {
      const terminal = events.at(-1);
      if (!ended || terminal === undefined || trimmed.throughSeq === headSeq - 1) return;
      trimmed = { throughSeq: headSeq - 1, lanes: laneTexts(events.map(({ event }) => event)) };
      events = [terminal];
      resize(sizeOf(terminal.event) + trimmed.lanes.reduce((sum, lane) => sum + 2 * lane.text.length, 0));
    },
  };
}

export type MemoryTurnLog = ReturnType<typeof createMemoryTurnLog>;

function sizeOf(event: TurnEvent): number {
  if (event.type === "text" || event.type === "reasoning") return eventBytes + 2 * event.text.length;
  if (event.type === "status") return eventBytes;
  return eventBytes + 2 * JSON.stringify(event).length;
}
