import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { ChunkSkimmer } from "./chunk-skimmer.ts";

/** More than this is not gathered ahead where the connection cannot be held. */
const mostAheadBytes = 65_536;

/** What libuv's streams have; Node does not document it, so that every use looks whether it is there. */
interface ReadingHandle {
  readStart?(): number;
  readStop?(): number;
}

/**
 * The bytes of a stream, one value for each time that somebody asks: all that came by then. Nobody asking, nothing is read from the
 * connection: what comes waits with the system, which gathers it, so that a stream costs as much as it is asked and not as
 * its sender cut it into packets. Node's own `pause` reads one packet more each time, and so twice as often.
 */
export function readOnDemand(
  stream: Readable,
  socket?: Socket,
  skimmer?: ChunkSkimmer,
): AsyncIterable<Uint8Array> {
  const handle = () => (socket as { _handle?: ReadingHandle | null } | undefined)?._handle ?? undefined;
  let pieces: Buffer[] = [];
  let bytes = 0;
  let isHeld = false;
  let asked: PromiseWithResolvers<void> | undefined;
  let outcome: { readonly error?: unknown } | undefined;

  function hold(): void {
    if (isHeld) return;
    isHeld = true;
    // It still counts as reading: Node would begin again by itself as soon as it has given away what it read.
    handle()?.readStop?.();
  }

  function letGo(): void {
    if (!isHeld) return;
    isHeld = false;
    if (socket?.destroyed === false) handle()?.readStart?.();
  }

  function answer(): void {
    asked?.resolve();
    asked = undefined;
  }

  function conclude(how: { readonly error?: unknown }): void {
    if (outcome !== undefined) return;
    outcome = how;
    // The connection may serve another call.
    letGo();
    answer();
  }

  function take(piece: Buffer): void {
    if (outcome !== undefined) return;
    pieces.push(piece);
    bytes += piece.length;
    if (asked === undefined && bytes > mostAheadBytes) stream.pause();
    hold();
    answer();
  }

  stream.pause();
  stream.on("data", take);
  skimmer?.deliverTo(take);
  stream.on("end", () => conclude({}));
  stream.on("error", (error) => conclude({ error }));
  stream.on("close", () =>
    conclude({
      error: Object.assign(new Error("The connection broke."), { code: "ERR_STREAM_PREMATURE_CLOSE" }),
    }),
  );

  async function next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (pieces.length === 0 && outcome === undefined) {
      asked = Promise.withResolvers();
      letGo();
      stream.resume();
      await asked.promise;
    }
    const [first] = pieces;
    if (first !== undefined) {
      const value = pieces.length === 1 ? first : Buffer.concat(pieces, bytes);
      pieces = [];
      bytes = 0;
      return { done: false, value };
    }
    if (outcome !== undefined && "error" in outcome) throw outcome.error;
    return { done: true, value: undefined };
  }

  /** Who leaves reads nothing more; what still comes is thrown away. */
  async function leave(): Promise<IteratorResult<Uint8Array, undefined>> {
    conclude({});
    pieces = [];
    stream.resume();
    return { done: true, value: undefined };
  }

  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
}
