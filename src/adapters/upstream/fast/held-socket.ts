import fs from "node:fs";
import { Socket } from "node:net";

/** Members of libuv's streams. Node does not document them, so every use checks that they exist. */
interface StreamHandle {
  readStart?(): number;
  readStop?(): number;
  /** The system's file descriptor; -1 if there is none, as on Windows. */
  readonly fd?: number;
}

/** The size of one read in libuv. */
const maxBytes = 65_536;
/** Shared by all sockets: bytes are copied out before the next read. */
const buffer = Buffer.allocUnsafeSlow(maxBytes);
/** Max number of calls that skip the read. A read that finds nothing doubles the pause, one that finds bytes halves it. */
const maxPause = 32;

/**
 * A connection that is not read while it is held: incoming bytes wait with the system, which gathers them. To read one that has bytes,
 * Node would have the system watch it, wake up, read, and wake up again for the next bytes. The cause is libuv, which stops watching a
 * connection only after unwanted bytes wake it. `takeWaiting` reads from the system directly.
 */
export class HeldSocket {
  readonly #socket: Socket;
  /** A TLS connection must also decrypt, and delivers the bytes of one read record by record. */
  readonly isPlain: boolean;
  #isHeld = false;
  /** The current pause: a read that finds nothing costs as much as a wake-up. */
  #pause = 0;
  #skipped = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.isPlain = Object.getPrototypeOf(socket) === Socket.prototype;
  }

  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    // Node still counts the socket as reading: otherwise it would start again by itself after delivering its data.
    this.#handle()?.readStop?.();
  }

  letGo(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (!this.#socket.destroyed) this.#handle()?.readStart?.();
  }

  /** The bytes that wait with the system, if the connection is held and plain. `undefined` does not mean that none are waiting. */
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
    this.#pause = length > 0 ? this.#pause >> 1 : Math.min(maxPause, this.#pause * 2 + 1);
    return length > 0 ? Buffer.from(buffer.subarray(0, length)) : undefined;
  }

  #read(fd: number): number {
    try {
      // A length of 0 may be the end of the connection; Node finds that at its own next read.
      return fs.readSync(fd, buffer, 0, maxBytes, null);
    } catch (error) {
      // The system reports a connection's error only once.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#socket.destroy(error as Error);
      return 0;
    }
  }

  #handle(): StreamHandle | undefined {
    return (this.#socket as { _handle?: StreamHandle | null })._handle ?? undefined;
  }
}
