import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";

/** Handles the frames of one connection. */
export interface FrameHandler {
  /** Settles when the next frame may be handled. */
  receive(frame: string | Uint8Array): Promise<void>;
  /** Settles when all running requests were delivered. Requests that are unfinished when `over` settles are not waited for. */
  settle(over: Promise<unknown>): Promise<void>;
  /** Whether the client can go on with everything at another server that shares the stores. */
  readonly canMove: boolean;
  close(): Promise<void>;
}

/** Bytes of a client frame's mask (RFC 6455, section 5.3). */
const maskBytes = 4;
const fin = 0x80;
/** Opcodes from this one on are control frames, which may come between the fragments of a message. */
const firstControl = 8;

/**
 * Finds the ends of messages in a peer's bytes; `ws` reports a message only after its end. It only counts bytes: `ws` checks whether
 * frames are valid.
 */
export class FrameBoundaries {
  /** Number of messages, and of control frames outside of messages, that have ended. */
  ended = 0;
  #isInMessage = false;
  /** The first bytes of a frame, until they tell its length. */
  readonly #head: number[] = [];
  /** Bytes of the frame that are still missing after its head. */
  #left = 0;

  /** True if no message and no frame is incomplete. */
  get isBetween(): boolean {
    return !this.#isInMessage && this.#left === 0 && this.#head.length === 0;
  }

  read(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        this.#head.push(bytes[at] ?? 0);
        at += 1;
        this.#left = leftAfter(this.#head);
        continue;
      }
      const skipped = Math.min(this.#left, bytes.length - at);
      at += skipped;
      this.#left -= skipped;
      if (this.#left === 0) this.#endFrame();
    }
  }

  #endFrame(): void {
    const [first = 0] = this.#head;
    this.#head.length = 0;
    if ((first & 0x0f) < firstControl) this.#isInMessage = (first & fin) === 0;
    if (!this.#isInMessage) this.ended += 1;
  }
}

/** Bytes that follow the head of a frame; 0 while the head is incomplete. */
function leftAfter(head: readonly number[]): number {
  const short = (head[1] ?? 0) & 0x7f;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  if (head.length < 2 + lengthBytes) return 0;
  const length = head.slice(2).reduce((sum, byte) => 256 * sum + byte, 0);
  return maskBytes + (lengthBytes === 0 ? short : length);
}

interface Rate {
  /** The long-term rate. */
  readonly perSecond: number;
  /** Max number at once after a pause. */
  readonly burst: number;
}

/** A token bucket: limits the rate of events, with a burst. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #left: number;
  #countedAtMs: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#left = rate.burst;
    this.#countedAtMs = clock.now();
  }

  /** Counts one more event if it is within the rate; returns whether it is. */
  letIn(): boolean {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#clock.now();
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#countedAtMs) * perSecond) / 1_000);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

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
const maxWaitingFrames = 32;
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
    const isFull = this.#waiting.length >= maxWaitingFrames || this.#waitingBytes >= maxWaitingBytes;
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
