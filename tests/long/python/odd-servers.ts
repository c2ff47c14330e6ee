import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { WebSocketServer } from "ws";

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** Answers the first bytes of every connection with `reply`, then closes it; `greets` sends the reply without waiting. */
export async function startPlainServer(reply: string | Uint8Array, { greets = false } = {}) {
  const answer = (socket: Socket) => socket.end(reply);
  const server = createServer((socket) => {
    // A client that gives up may reset the connection.
    socket.on("error", () => socket.destroy());
    if (greets) answer(socket);
    else socket.once("data", () => answer(socket));
  });
  const port = await listening(server);
  return { host: `127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
}

/** Answers every handshake with this HTTP response. */
export function startHttpServer(status: number, headers: readonly string[] = []) {
  const head = [`HTTP/1.1 ${status} Odd`, "Content-Length: 0", ...headers].join("\r\n");
  return startPlainServer(`${head}\r\n\r\n`);
}

/** A WebSocket server that answers each message with these frames. Without frames it repeats the message. */
export async function startFrameServer(...frames: readonly (string | Uint8Array)[]) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      const replies = frames.length > 0 ? frames : [data.toString()];
      for (const reply of replies) socket.send(reply);
    });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.dispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
    },
  };
}
