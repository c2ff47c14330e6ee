import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** Longest size of a chunk in hexadecimal digits that is read here; nobody sends so much at once. */
const mostSizeDigits = 7;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** Where a body in chunks stands (RFC 9112, section 7.1); `other` is everything that is left to Node: the end, an extension, a fault. */
type Place =
  | { readonly in: "boundary" }
  | { readonly in: "size"; digits: number; size: number; sawReturn: boolean }
  | { readonly in: "data"; left: number }
  | { readonly in: "other" };

const boundary: Place = { in: "boundary" };
const other: Place = { in: "other" };

/**
 * Takes whole chunks of a body past Node's parser, which makes several objects and calls of each: a stream of tokens has a chunk
 * for every token. The parser, which is where it was before a whole chunk when it has not seen it, gets everything else: the
 * head, parts of chunks, the end and whatever is unusual.
 */
export function createChunkSkimmer(socket: Socket) {
  const [parse] = socket.listeners("data") as ((bytes: Buffer) => void)[];
  let message: IncomingMessage | undefined;
  let isSkimmable = false;
  let place: Place = other;
  let sawBytes = false;
  let onChunk: ((payload: Buffer) => void) | undefined;

  function handOn(bytes: Buffer): void {
    if (bytes.length > 0) parse?.call(socket, bytes);
  }

  /** What was handed on is not overtaken. */
  function maySkim(): boolean {
    return (
      onChunk !== undefined &&
      place.in === "boundary" &&
      message?.readableFlowing === true &&
      message.readableLength === 0
    );
  }

  function skim(bytes: Buffer): void {
    let at = 0;
    let from = 0;
    while (at < bytes.length) {
      if (place.in === "boundary") {
        const chunk = wholeChunk(bytes, at);
        if (chunk !== undefined) {
          if (from < at) handOn(bytes.subarray(from, at));
          if (maySkim()) {
            onChunk?.(bytes.subarray(chunk.start, chunk.end));
            from = chunk.end + 2;
          } else {
            from = at;
          }
          at = chunk.end + 2;
          continue;
        }
      }
      at = pass(bytes, at);
    }
    if (from < bytes.length) handOn(bytes.subarray(from));
  }

  /** Goes with the parser to the next boundary or to the end of the bytes. */
  function pass(bytes: Buffer, start: number): number {
    let at = start;
    if (place.in === "boundary") place = { in: "size", digits: 0, size: 0, sawReturn: false };
    if (place.in === "size") {
      for (; at < bytes.length && place.in === "size"; at += 1) place = afterSizeByte(place, bytes[at] ?? 0);
      return at;
    }
    if (place.in !== "data") return bytes.length;
    const taken = Math.min(place.left, bytes.length - at);
    place.left -= taken;
    if (place.left === 0) place = boundary;
    return at + taken;
  }

  /** The head is over; what came behind it in the same packet has gone to the parser. */
  function begin(bytes: Buffer): void {
    const headEnd = bytes.indexOf("\r\n\r\n");
    if (!bytes.toString("latin1", 0, 10).startsWith("HTTP/1.1 2") || headEnd < 0) return;
    place = boundary;
    for (let at = headEnd + 4; at < bytes.length; ) at = pass(bytes, at);
  }

  function onBytes(bytes: Buffer): void {
    const isFirst = !sawBytes;
    const hadMessage = message !== undefined;
    sawBytes = true;
    if (place.in === "other") handOn(bytes);
    else skim(bytes);
    if (isFirst && !hadMessage && isSkimmable) begin(bytes);
    if (message?.complete === true) stop();
  }

  /** The connection may serve another call. */
  function stop(): void {
    place = other;
    socket.off("data", onBytes);
  }

  if (parse !== undefined) {
    socket.off("data", parse);
    socket.on("data", onBytes);
  }

  return {
    /** The answer whose head was just read; only one whose body comes in chunks is skimmed. */
    accept(answer: IncomingMessage): void {
      const { "transfer-encoding": framing, "content-encoding": packing } = answer.headers;
      message = answer;
      isSkimmable = framing === "chunked" && packing === undefined;
    },
    stop,
    /** From now on, whole chunks go there, in their place among what the message emits. */
    deliverTo(take: (payload: Buffer) => void): void {
      onChunk = take;
    },
  };
}

export type ChunkSkimmer = ReturnType<typeof createChunkSkimmer>;

/** Where the payload of a chunk lies that is whole and plain; the end of the body is none. */
function wholeChunk(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  let size = 0;
  let start = at;
  for (let digit = hexDigit(bytes[start]); digit >= 0; digit = hexDigit(bytes[start])) {
    if (start - at >= mostSizeDigits) return undefined;
    size = size * 16 + digit;
    start += 1;
  }
  if (size === 0 || bytes[start] !== carriageReturn || bytes[start + 1] !== lineFeed) return undefined;
  start += 2;
  const end = start + size;
  return bytes[end] === carriageReturn && bytes[end + 1] === lineFeed ? { start, end } : undefined;
}

function afterSizeByte(place: Extract<Place, { in: "size" }>, byte: number): Place {
  if (place.sawReturn) {
    if (byte !== lineFeed || place.size === 0) return other;
    // The line break behind the payload counts as well.
    return { in: "data", left: place.size + 2 };
  }
  const digit = hexDigit(byte);
  if (digit >= 0 && place.digits < mostSizeDigits) {
    place.digits += 1;
    place.size = place.size * 16 + digit;
    return place;
  }
  if (byte !== carriageReturn || place.digits === 0) return other;
  place.sawReturn = true;
  return place;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
