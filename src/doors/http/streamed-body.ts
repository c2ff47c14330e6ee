import { setImmediate as nextLoopTurn } from "node:timers/promises";
import type { HttpBindings } from "@hono/node-server";

/** Min characters of a piece of a body, apart from the last: shorter pieces are joined. */
const minChars = 16 * 1024;

/**
 * A body that is made while its client reads it. The next piece is requested after the one before it was written, and other callers run
 * in between. If a piece fails, the connection is cut, so that no client takes half a body for a whole one.
 */
export function streamedBody(
  pieces: AsyncIterator<string>,
  { outgoing }: HttpBindings,
  report: (fault: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isCancelled = false;
  const source = {
    async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
      try {
        await nextLoopTurn();
        const { text, isOver } = await gather(pieces);
        // The client may have gone while the piece was made.
        if (isCancelled) return;
        if (text !== "") controller.enqueue(encoder.encode(text));
        if (isOver) controller.close();
      } catch (fault) {
        if (isCancelled) return;
        report(fault);
        outgoing.destroy();
        controller.close();
      }
    },
    async cancel(): Promise<void> {
      isCancelled = true;
      await pieces.return?.();
    },
  };
  // By default a stream requests one piece ahead.
  return new ReadableStream(source, { highWaterMark: 0 });
}

async function gather(pieces: AsyncIterator<string>): Promise<{ text: string; isOver: boolean }> {
  let text = "";
  while (text.length < minChars) {
    const next = await pieces.next();
    if (next.done === true) return { text, isOver: true };
    text += next.value;
  }
  return { text, isOver: false };
}

/** Bytes that are written at once. */
const sliceBytes = 64 * 1024;

/** A body that many clients share: all their connections write the same memory, a slice at a time. */
export function sharedBody(bytes: Buffer): ReadableStream<Uint8Array> {
  let at = 0;
  const source = {
    pull(controller: ReadableStreamDefaultController<Uint8Array>): void {
      if (at < bytes.length) controller.enqueue(bytes.subarray(at, at + sliceBytes));
      at += sliceBytes;
      if (at >= bytes.length) controller.close();
    },
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
