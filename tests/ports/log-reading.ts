import { followLog } from "../../src/ports/follow-log.ts";
import type { LaneCheckpoint, TurnEvent } from "../../src/ports/turn-event.ts";
import type { LogBatch, TurnLog } from "../../src/ports/turn-log.ts";

/** A text event with its own text. */
export function textOf(text: string, lane?: string): TurnEvent {
  return { type: "text", text, final: false, ...(lane === undefined ? {} : { lane }) };
}

/** A checkpoint of the nameless voice. */
export const checkpoint: LaneCheckpoint = {
  type: "checkpoint",
  textUnits: 1,
  reasoningUnits: 0,
  toolEvents: 0,
  place: { at: 7 },
};

/** A terminal event. */
export const terminal: TurnEvent = {
  type: "answer",
  status: "completed",
  answer: { kind: "responses", text: "", response: {}, finishReason: "stop", simulated: false },
};

/** The events that a follower received, batch by batch, and whether it has reached the log's end. */
export interface Following {
  readonly batches: readonly LogBatch[];
  /**
   * `1:a 2:b`: the numbers and texts of all events, `trimmed-5` for a trimmed batch, `unkept-code` for an end that is not
   * stored.
   */
  read(): string;
  /** Settles at the end of the log, or when the follower was stopped. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** Follows a log from a position, as fast as possible. */
export function followed(log: TurnLog, after: number): Following {
  const batches: LogBatch[] = [];
  const stopped = new AbortController();
  const ended = (async () => {
    for await (const batch of followLog(log, { after, signal: stopped.signal })) batches.push(batch);
  })();
  return { batches, read: () => batches.map(brief).join(" "), ended, stop: () => stopped.abort() };
}

function brief(batch: LogBatch): string {
  if (batch.type === "trimmed") return `trimmed-${batch.throughSeq}`;
  if (batch.type === "unkept") return `unkept-${batch.error.code}`;
  return batch.events
    .map(({ seq, event }) => `${seq}:${event.type === "text" ? event.text : event.type}`)
    .join(" ");
}
