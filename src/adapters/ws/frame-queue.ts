import { setImmediate as nextLoopTurn } from "node:timers/promises";

/** The connection whose frames wait. */
export interface FrameSource {
  /** Handles one frame. The next frame waits for it. */
  handle(frame: string | Uint8Array): Promise<void>;
  /** Called if a frame could not be handled. */
  onFault(fault: unknown): void;
  /** Stops and resumes reading from the connection. */
  pause(): void;
  resume(): void;
}

interface Frame {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/** Frames and bytes that may wait before reading pauses. The frame that reaches a limit, and the rest of its read, are accepted too. */
const mostWaitingFrames = 32;
const maxWaitingBytes = 256 * 1024;
/** Frames handled in a row before other connections get a turn: one read may have brought thousands. */
const framesInARow = 32;
/** A frame from this size takes long to read, so only one of them is read in a turn of the loop. */
const largeBytes = 64 * 1024;

/** Settles when the last large frame of any connection gets its turn. */
let lastLargeTurn: Promise<void> = Promise.resolve();

function takeLargeTurn(): Promise<void> {
  lastLargeTurn = lastLargeTurn.then(() => nextLoopTurn());
  return lastLargeTurn;
}

/** The frames of one connection, handled in order. Text is decoded only when its turn comes. */
export class FrameQueue {
  readonly #source: FrameSource;
  #waiting: Frame[] = [];
  #waitingBytes = 0;
  #working: Promise<void> | undefined;
  #isPaused = false;
  #isStopped = false;

  constructor(source: FrameSource) {
    this.#source = source;
  }

  push(data: Buffer, isBinary: boolean): void {
    if (this.#isStopped) return;
    this.#waiting.push({ data, isBinary });
    this.#waitingBytes += data.length;
    this.#working ??= this.#work();
    const isFull = this.#waiting.length >= mostWaitingFrames || this.#waitingBytes >= maxWaitingBytes;
    if (this.#isPaused || !isFull) return;
    this.#isPaused = true;
    this.#source.pause();
  }

  /** Settles when every received frame was handled. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Drops the waiting frames and all later ones. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  /** Separate from `#work`, which would hold the frame while it waits for the reply. */
  #handleNext(): Promise<void> | undefined {
    const frame = this.#waiting.shift();
    if (frame === undefined) return undefined;
    this.#waitingBytes -= frame.data.length;
    if (frame.data.length < largeBytes) return this.#handle(frame);
    return takeLargeTurn().then(() => (this.#isStopped ? undefined : this.#handle(frame)));
  }

  #handle({ data, isBinary }: Frame): Promise<void> {
    return this.#source.handle(isBinary ? data : data.toString("utf8"));
  }

  async #work(): Promise<void> {
    const source = this.#source;
    let count = 1;
    while (this.#waiting.length > 0) {
      if (count % framesInARow === 0) await nextLoopTurn();
      count += 1;
      await this.#handleNext()?.catch((fault: unknown) => source.onFault(fault));
    }
    this.#working = undefined;
    if (this.#isPaused) source.resume();
    this.#isPaused = false;
  }
}
