import { setImmediate as nextLoopTurn } from "node:timers/promises";

export interface FrameQueueOptions {
  /** Handles one frame; the next waits for it. */
  readonly handle: (frame: string | Uint8Array) => Promise<void>;
  readonly onFault: (fault: unknown) => void;
  /** Stops and goes on reading from the connection. */
  readonly pause: () => void;
  readonly resume: () => void;
}

export interface FrameQueue {
  push(data: Buffer, isBinary: boolean): void;
  /** Settles when everything that has come was handled. */
  idle(): Promise<void>;
  /** Drops what waits and whatever comes. */
  stop(): void;
}

/** Frames that wait before reading pauses. What the last read brought comes on top of it: at most 64 KiB. */
const mostWaitingFrames = 32;
/** After so many frames in a row the other connections have their turn: one read may have brought thousands. */
const framesInARow = 32;

/** The frames of one connection, handled one after another. Text is decoded only when its turn has come. */
export function createFrameQueue({ handle, onFault, pause, resume }: FrameQueueOptions): FrameQueue {
  let waiting: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  let working: Promise<void> | undefined;
  let paused = false;
  let stopped = false;

  async function work(): Promise<void> {
    for (let count = 1, frame = waiting.shift(); frame !== undefined; count += 1, frame = waiting.shift()) {
      if (count % framesInARow === 0) await nextLoopTurn();
      await handle(frame.isBinary ? frame.data : frame.data.toString("utf8")).catch(onFault);
    }
    working = undefined;
    if (paused) resume();
    paused = false;
  }

  return {
    push(data, isBinary) {
      if (stopped) return;
      waiting.push({ data, isBinary });
      working ??= work();
      if (paused || waiting.length < mostWaitingFrames) return;
      paused = true;
      pause();
    },
    async idle() {
      while (working !== undefined) await working;
    },
    stop() {
      stopped = true;
      waiting = [];
    },
  };
}
