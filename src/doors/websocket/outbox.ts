import type { Socket } from "../../ports/socket.ts";

/**
 * What one connection is given to send, whoever gave it. Only one write is under way at a time, so that of all that waits no more
 * is encoded than one write holds: the rest stays in the logs that it comes from.
 */
export interface Outbox {
  /**
   * Sends messages in order; each is made when it is about to be sent. Settles when the operating system has taken the last one;
   * rejects with a `SocketEndedError` when the connection has ended, or with what making a message threw.
   */
  put(texts: Iterable<string>): Promise<void>;
}

/** Characters of one write, at most three bytes each. The message that reaches the limit still goes with it, however long it is. */
const mostCharsAtOnce = 16 * 1024;
/** After so many characters the next sender has its turn: one that catches up does not keep the others waiting. */
const mostCharsOfOne = 4 * 1024;

interface Parcel {
  readonly texts: Iterator<string>;
  readonly sent: PromiseWithResolvers<void>;
}

export function createOutbox(socket: Socket): Outbox {
  const waiting: Parcel[] = [];
  let writing = false;

  /** Takes from a parcel until its share is full; true when nothing is left of it. */
  function takeFrom({ texts, sent }: Parcel, into: string[]): { chars: number; isLast: boolean } {
    let chars = 0;
    try {
      while (chars < mostCharsOfOne) {
        const next = texts.next();
        if (next.done === true) return { chars, isLast: true };
        into.push(next.value);
        chars += next.value.length;
      }
    } catch (fault) {
      sent.reject(fault);
      return { chars, isLast: true };
    }
    return { chars, isLast: false };
  }

  async function writeOnce(): Promise<void> {
    const texts: string[] = [];
    const last: Parcel[] = [];
    let chars = 0;
    while (chars < mostCharsAtOnce) {
      const parcel = waiting.shift();
      if (parcel === undefined) break;
      const taken = takeFrom(parcel, texts);
      chars += taken.chars;
      (taken.isLast ? last : waiting).push(parcel);
    }
    try {
      await socket.send(texts);
    } catch (fault) {
      for (const { sent } of [...last, ...waiting.splice(0)]) sent.reject(fault);
    }
    for (const { sent } of last) sent.resolve();
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) await writeOnce();
    writing = false;
  }

  return {
    put(texts) {
      const sent = Promise.withResolvers<void>();
      waiting.push({ texts: texts[Symbol.iterator](), sent });
      // Whoever else was woken by the same commit is in time for the same write.
      if (!writing) process.nextTick(writeAll);
      writing = true;
      return sent.promise;
    },
  };
}
