/** Bytes of a client frame's mask (RFC 6455, section 5.3). */
const maskBytes = 4;
const fin = 0x80;
/** Opcodes from here on are control frames, which may stand between the fragments of a message. */
const firstControl = 8;

/**
 * Where messages end in what a peer sends, which `ws` does not tell before they have ended. It only counts bytes: whether frames are
 * right is for `ws` to say.
 */
export class FrameBoundaries {
  /** How many messages, and control frames outside of messages, have ended. */
  ended = 0;
  #isInMessage = false;
  /** The beginning of a frame, until it tells how long that is. */
  readonly #head: number[] = [];
  /** Bytes of the frame that are still to come after its head. */
  #left = 0;

  /** No message and no frame has begun and not ended. */
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

/** Bytes that follow the head of a frame, 0 as long as it is not whole. */
function leftAfter(head: readonly number[]): number {
  const short = (head[1] ?? 0) & 0x7f;
  const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
  if (head.length < 2 + lengthBytes) return 0;
  const length = head.slice(2).reduce((sum, byte) => 256 * sum + byte, 0);
  return maskBytes + (lengthBytes === 0 ? short : length);
}
