import fs from "node:fs";
import { Socket } from "node:net";

/** What libuv's streams have; Node does not document it, so that every use looks whether it is there. */
interface StreamHandle {
  readStart?(): number;
  readStop?(): number;
  /** Of the system; -1 where there is none, as on Windows. */
  readonly fd?: number;
}

/** As libuv reads at once. */
const mostBytes = 65_536;
/** What is read there is copied before anybody else reads. */
const buffer = Buffer.allocUnsafeSlow(mostBytes);
/** Times of asking without a try; a try that finds nothing doubles the pause, one that finds something halves it. */
const longestPause = 32;

/**
 * A connection that is not read while it is held: what comes waits with the system, which gathers it. To read a held one that
 * has something to say, Node would tell the system to watch it, be woken, read, and be woken once more by what comes behind, since
 * libuv stops watching only when it is told of something that it does not want to know. `takeWaiting` asks the system itself.
 */
export class HeldSocket {
  readonly #socket: Socket;
  /** One of TLS has more to do than to read, and gives what one read brought record by record. */
  readonly isPlain: boolean;
  #isHeld = false;
  /** A try that finds nothing costs as much as being woken. */
  #pause = 0;
  #skipped = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.isPlain = Object.getPrototypeOf(socket) === Socket.prototype;
  }

  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    // It still counts as reading: Node would begin again by itself as soon as it has given away what it read.
    this.#handle()?.readStop?.();
  }

  letGo(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (!this.#socket.destroyed) this.#handle()?.readStart?.();
  }

  /** What waits with the system, where the connection is held and that can be told. Nothing is no sign of anything. */
  takeWaiting(): Buffer | undefined {
    if (!this.#isHeld || !this.isPlain || this.#socket.destroyed) return undefined;
    const fd = this.#handle()?.fd ?? -1;
    if (fd < 0) return undefined;
    if (this.#skipped < this.#pause) {
      this.#skipped += 1;
      return undefined;
    }
    this.#skipped = 0;
    const length = this.#read(fd);
    this.#pause = length > 0 ? this.#pause >> 1 : Math.min(longestPause, this.#pause * 2 + 1);
    return length > 0 ? Buffer.from(buffer.subarray(0, length)) : undefined;
  }

  #read(fd: number): number {
    try {
      // Of the end, which is no bytes, Node is told when it reads.
      return fs.readSync(fd, buffer, 0, mostBytes, null);
    } catch (error) {
      // The system says what is wrong with a connection only once.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#socket.destroy(error as Error);
      return 0;
    }
  }

  #handle(): StreamHandle | undefined {
    return (this.#socket as { _handle?: StreamHandle | null })._handle ?? undefined;
  }
}
