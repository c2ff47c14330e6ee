import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Socket } from "../../ports/socket.ts";
import { type CloseName, closeReason, closeTable } from "../../protocol/closes.ts";
import { encodeTextFrames } from "./text-frames.ts";

/** The `Socket` port over a connection of the `ws` package. */
export class WsSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;

  /** `stream` is what the socket writes to. */
  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  send(texts: readonly string[], onTaken: (cause?: Error | null) => void): void {
    // Nothing may follow a close frame. Without compression `ws` writes at once as well, so that its own frames keep their place.
    if (this.#socket.readyState === this.#socket.OPEN) this.#stream.write(encodeTextFrames(texts), onTaken);
    else process.nextTick(onTaken, new Error("The connection is closing."));
  }

  close(name: CloseName, retryAfterMs?: number): void {
    this.#socket.close(closeTable[name].code, closeReason(name, retryAfterMs));
  }
}
