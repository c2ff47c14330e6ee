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
