import type { LogBatch, TurnLog } from "./turn-log.ts";

/** The position from which a log is followed, and for how long. */
interface LogPosition {
  /** Events with a greater `seq` are read. */
  readonly after: number;
  /** Default: read to the log's end. */
  readonly signal?: AbortSignal;
}

/** Reads a log to its end, or until the signal aborts. Too slow for work done per chunk and connection: that opens a reader instead. */
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
