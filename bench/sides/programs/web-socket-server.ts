import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** The smallest server that a side needs: every message asks for one answer, which ends with the socket. */
export async function serveWebSockets(
  answer: (text: string, socket: WebSocket, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    const gone = new AbortController();
    socket.on("close", () => gone.abort());
    socket.on("error", (error) => console.error(error));
    socket.on("message", (data) => {
      answer(String(data), socket, gone.signal).catch((error: unknown) => {
        if (!gone.signal.aborted) console.error(error);
      });
    });
  });
  await serve(server);
}

/** Listens on a free port and prints it. */
export async function serve(server: http.Server): Promise<void> {
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 });
  await once(server, "listening");
  console.log(`serves ${(server.address() as AddressInfo).port}`);
}
