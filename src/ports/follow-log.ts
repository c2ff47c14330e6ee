import type { LogBatch, TurnLog } from "./turn-log.ts";

/** From where a log is followed, and for how long. */
export interface LogPosition {
  /** The `seq` behind which it begins. */
  readonly after: number;
  /** Default: to the log's end. */
  readonly signal?: AbortSignal;
}

/** Reads a log to its end, or until the signal aborts. What is done for every chunk of every connection opens a reader instead. */
export async function* followLog(log: TurnLog, { after, signal }: LogPosition): AsyncGenerator<LogBatch> {
  let wake: () => void = () => undefined;
  const goOn = () => wake();
  const reader = log.open(after, goOn);
  signal?.addEventListener("abort", goOn);
  try {
    while (signal?.aborted !== true) {
      const batch = reader.take();
      if (batch !== undefined) yield batch;
      else if (reader.isOver) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    signal?.removeEventListener("abort", goOn);
    reader.close();
  }
}
