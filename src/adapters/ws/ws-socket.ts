import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { type Socket, SocketEndedError } from "../../ports/socket.ts";
import { closeReason, closeTable } from "../../protocol/closes.ts";
import { encodeTextFrames } from "./text-frames.ts";

/** The `Socket` port over a connection of the `ws` package; `stream` is what it writes to. */
export function createWsSocket(socket: WebSocket, stream: Duplex): Socket {
  return {
    send(texts) {
      if (texts.length === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const settle = (cause?: Error | null) =>
          cause == null ? resolve() : reject(new SocketEndedError("The connection has ended.", { cause }));
        // Nothing may follow a close frame. Without compression `ws` writes at once as well, so that its own frames keep their place.
        if (socket.readyState === socket.OPEN) stream.write(encodeTextFrames(texts), settle);
        else settle(new Error("The connection is closing."));
      });
    },
    close(name, retryAfterMs) {
      socket.close(closeTable[name].code, closeReason(name, retryAfterMs));
    },
  };
}
