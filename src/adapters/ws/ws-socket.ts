import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { type Socket, SocketEndedError } from "../../ports/socket.ts";
import { closeTable } from "../../protocol/closes.ts";

/** The `Socket` port over a connection of the `ws` package; `stream` is what it writes to. */
export function createWsSocket(socket: WebSocket, stream: Duplex): Socket {
  return {
    send(texts) {
      if (texts.length === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const settle = (cause?: Error | null) =>
          cause == null ? resolve() : reject(new SocketEndedError("The connection has ended.", { cause }));
        // Corked, the frames of a batch reach the operating system in one write.
        stream.cork();
        const last = texts.length - 1;
        for (const [index, text] of texts.entries()) socket.send(text, index === last ? settle : undefined);
        stream.uncork();
      });
    },
    close(name) {
      const { code, reason } = closeTable[name];
      socket.close(code, reason);
    },
  };
}
