import { once } from "node:events";
import { WebSocket } from "ws";
import type { Frame } from "./frame.ts";

/** A connection that sends frames unchanged and keeps every reply as it arrived. */
export interface FrameClient extends Disposable {
  readonly replies: readonly string[];
  /** The close code, once there is one. */
  readonly closed: Promise<number>;
  send(frame: Frame): void;
  /** Sends a ping with this id and settles when its pong has arrived, which is kept too. Rejects if the connection closes. */
  roundTrip(id: string): Promise<void>;
}

export async function openFrameClient(url: string): Promise<FrameClient> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const replies: string[] = [];
  const pongs = new Map<string, PromiseWithResolvers<void>>();
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  socket.on("message", (bytes) => {
    const text = bytes.toString();
    replies.push(text);
    if (text.startsWith('{"type":"pong"')) pongs.get(JSON.parse(text).id)?.resolve();
  });
  await once(socket, "open");
  // A later error ends in `close`, which the tests look at.
  socket.on("error", () => undefined);

  return {
    replies,
    closed,
    send({ bytes, binary, fragments }) {
      for (let piece = 0; piece < fragments; piece += 1) {
        const [start, end] = [piece, piece + 1].map((edge) => Math.floor((edge * bytes.length) / fragments));
        socket.send(bytes.subarray(start, end), { binary, fin: piece === fragments - 1 });
      }
    },
    async roundTrip(id) {
      const pong = Promise.withResolvers<void>();
      pongs.set(id, pong);
      socket.send(JSON.stringify({ type: "ping", id }));
      await Promise.race([
        pong.promise,
        closed.then((code) => Promise.reject(new Error(`the connection was closed with ${code}`))),
      ]);
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
}
