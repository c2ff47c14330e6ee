import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { OutgoingMessage, Socket } from "../../ports/socket.ts";
import { type CloseName, closeReason, closeTable } from "../../protocol/closes.ts";
import { encodeTextFrames, encodeTextHead } from "./text-frames.ts";

/** An empty write: its callback fires once everything before it is flushed. */
const nothing = Buffer.alloc(0);

/** The `Socket` port over a connection of the `ws` package. */
export class WsSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;

  /** `stream` is the stream that the socket writes to. */
  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error | null) => void): boolean {
    const stream = this.#stream;
    // Nothing may follow a close frame. Without compression `ws` also writes at once, so its own frames keep their order.
    if (this.#socket.readyState !== this.#socket.OPEN || !stream.writable) {
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
