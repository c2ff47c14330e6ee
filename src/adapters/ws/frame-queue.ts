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

/** Frames, and bytes of them, that wait before reading pauses. The frame that reaches a limit and the rest of its read come on top. */
const mostWaitingFrames = 32;
const maxWaitingBytes = 256 * 1024;
/** After so many frames in a row the other connections have their turn: one read may have brought thousands. */
const framesInARow = 32;
/** From so many bytes on a frame takes long enough to be read that no other one should be read in the same turn of the loop. */
const largeBytes = 64 * 1024;

/** Settles when the last of the large frames that came, over whichever connection, has its turn. */
let lastLargeTurn: Promise<void> = Promise.resolve();

function takeLargeTurn(): Promise<void> {
  lastLargeTurn = lastLargeTurn.then(() => nextLoopTurn());
  return lastLargeTurn;
}

/** The frames of one connection, handled one after another. Text is decoded only when its turn has come. */
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

  /** Settles when everything that has come was handled. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Drops what waits and whatever comes. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
  }

  /** Not a part of `#work`, which would hold the frame for as long as it waits for the answer to it. */
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
