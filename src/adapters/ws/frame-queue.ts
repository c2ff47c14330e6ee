import { setImmediate as nextLoopTurn } from "node:timers/promises";

/** The connection whose frames wait. */
export interface FrameSource {
  /** Handles one frame; the next waits for it. */
  handle(frame: string | Uint8Array): Promise<void>;
  /** Hears of a frame that could not be handled. */
  onFault(fault: unknown): void;
  /** Stops and goes on reading from the connection. */
  pause(): void;
  resume(): void;
}

interface Frame {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** Frames that wait before reading pauses. What the last read brought comes on top of it: at most 64 KiB. */
const mostWaitingFrames = 32;
/** After so many frames in a row the other connections have their turn: one read may have brought thousands. */
const framesInARow = 32;

/** The frames of one connection, handled one after another. Text is decoded only when its turn has come. */
export class FrameQueue {
  readonly #source: FrameSource;
  #waiting: Frame[] = [];
  #working: Promise<void> | undefined;
  #isPaused = false;
  #isStopped = false;

  constructor(source: FrameSource) {
    this.#source = source;
  }

  push(data: Buffer, isBinary: boolean): void {
    if (this.#isStopped) return;
    this.#waiting.push({ data, isBinary });
    this.#working ??= this.#work();
    if (this.#isPaused || this.#waiting.length < mostWaitingFrames) return;
    this.#isPaused = true;
    this.#source.pause();
  }

  /** Settles when everything that has come was handled. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Drops what waits and whatever comes. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  async #work(): Promise<void> {
    const source = this.#source;
    let count = 1;
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
      if (count % framesInARow === 0) await nextLoopTurn();
      count += 1;
      await source
        .handle(frame.isBinary ? frame.data : frame.data.toString("utf8"))
        .catch((fault: unknown) => source.onFault(fault));
    }
    this.#working = undefined;
    if (this.#isPaused) source.resume();
    this.#isPaused = false;
  }
}
