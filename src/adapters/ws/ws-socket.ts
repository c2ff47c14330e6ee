import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { OutgoingMessage, Socket } from "../../ports/socket.ts";
import { type CloseName, closeReason, closeTable } from "../../protocol/closes.ts";

/** An empty write: its callback fires once everything before it is flushed. */
const nothing = Buffer.alloc(0);

/** The `Socket` port over a connection of the `ws` package. */
export class WsSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #isCutOff: (() => boolean) | undefined;

  /** `stream` is the stream that the socket writes to. `isCutOff` is called before every delivery; nothing is sent while it is true. */
  constructor(socket: WebSocket, stream: Duplex, isCutOff?: () => boolean) {
    this.#socket = socket;
    this.#stream = stream;
    this.#isCutOff = isCutOff;
  }

  send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error | null) => void): boolean {
    const stream = this.#stream;
    // Nothing may follow a close frame. Without compression `ws` also writes at once, so its own frames keep their order.
    if (this.#isCutOff?.() === true || this.#socket.readyState !== this.#socket.OPEN || !stream.writable) {
      process.nextTick(onTaken, new Error("The connection is closing."));
      return false;
    }
    if (messages.every(isText)) stream.write(encodeTextFrames(messages));
    else this.#sendMixed(messages);
    if (stream.writableLength === 0 && stream.errored === null) return true;
    // Only a waiting write needs a callback: for every chunk it would cost as much as the write.
    stream.write(nothing, onTaken);
    return false;
  }

  /** Writes long messages from their own memory, between separately written heads. */
  #sendMixed(messages: readonly OutgoingMessage[]): void {
    const stream = this.#stream;
    stream.cork();
    for (const message of messages) {
      if (isText(message)) {
        stream.write(encodeTextFrames([message]));
        continue;
      }
      stream.write(encodeTextHead(message.length));
      stream.write(message);
    }
    stream.uncork();
  }

  close(name: CloseName, retryAfterMs?: number): void {
    this.#socket.close(closeTable[name].code, closeReason(name, retryAfterMs));
  }
}

const isText = (message: OutgoingMessage): message is string => typeof message === "string";

const finalText = 0x81;
/** Max length that fits into the second byte. */
const shortBytes = 125;
/** Max length that fits into two more bytes; a longer one takes eight. */
const mediumBytes = 0xffff;

function headBytes(payloadBytes: number): number {
  if (payloadBytes <= shortBytes) return 2;
  return payloadBytes <= mediumBytes ? 4 : 10;
}

/** Writes the head of a text message (RFC 6455, section 5.2: one final, unmasked frame). Returns where its payload starts. */
function writeHead(frames: Buffer, at: number, payloadBytes: number): number {
  frames[at] = finalText;
  if (payloadBytes <= shortBytes) {
    frames[at + 1] = payloadBytes;
  } else if (payloadBytes <= mediumBytes) {
    frames[at + 1] = 126;
    frames.writeUInt16BE(payloadBytes, at + 2);
  } else {
    frames[at + 1] = 127;
    frames.writeBigUInt64BE(BigInt(payloadBytes), at + 2);
  }
  return at + headBytes(payloadBytes);
}

/**
 * Encodes whole text messages, one after the other in one piece of memory. `ws` makes two pieces of every message and a list of all,
 * which costs more than all other work on a chunk.
 */
export function encodeTextFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, bytes) => sum + headBytes(bytes) + bytes, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = writeHead(frames, at, lengths[index] ?? 0);
    at += frames.write(text, at, "utf8");
  }
  return frames;
}

/** The head of a payload that is written separately, because other sockets write the same memory. */
function encodeTextHead(payloadBytes: number): Buffer {
  const head = Buffer.alloc(headBytes(payloadBytes));
  writeHead(head, 0, payloadBytes);
  return head;
}
