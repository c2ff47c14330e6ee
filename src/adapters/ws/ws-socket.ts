import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { OutgoingMessage, Socket } from "../../ports/socket.ts";
import { type CloseName, closeReason, closeTable } from "../../protocol/closes.ts";
import { encodeTextFrames, encodeTextHead } from "./text-frames.ts";

/** Behind a write, it is taken when that is. */
const nothing = Buffer.alloc(0);

/** The `Socket` port over a connection of the `ws` package. */
export class WsSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;

  /** `stream` is what the socket writes to. */
  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  send(messages: readonly OutgoingMessage[], onTaken: (cause?: Error | null) => void): boolean {
    const stream = this.#stream;
    // Nothing may follow a close frame. Without compression `ws` writes at once as well, so that its own frames keep their place.
    if (this.#socket.readyState !== this.#socket.OPEN || !stream.writable) {
      process.nextTick(onTaken, new Error("The connection is closing."));
      return false;
    }
    if (messages.every(isText)) stream.write(encodeTextFrames(messages));
    else this.#sendMixed(messages);
    if (stream.writableLength === 0 && stream.errored === null) return true;
    // Only what waits needs to hear when it was taken: for every chunk that would cost as much as writing it.
    stream.write(nothing, onTaken);
    return false;
  }

  /** Long messages stay where they are, between heads of their own. */
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
