import http from "node:http";
import https from "node:https";
import type { WebSocket } from "ws";
import { serveWebSockets } from "./web-socket-server.ts";

/** A relay written by hand for one purpose: Node's own client, one frame every 0.1 s, one timer for all streams. */
const upstream = new URL(`${process.argv[2]}/responses`);
const intervalMs = 100;
const transport = upstream.protocol === "https:" ? https : http;
const agent = new transport.Agent({ keepAlive: true });
const waiting = new Map<WebSocket, string>();

setInterval(() => {
  for (const [socket, text] of waiting)
    socket.send(JSON.stringify({ type: "chunk", chunk: text, is_final: false }));
  waiting.clear();
}, intervalMs);

function take(data: string, socket: WebSocket): void {
  const event = JSON.parse(data);
  if (event.type === "response.output_text.delta")
    waiting.set(socket, (waiting.get(socket) ?? "") + event.delta);
}

await serveWebSockets(async (text, socket, signal) => {
  const request = transport.request(upstream, {
    method: "POST",
    agent,
    headers: { authorization: "Bearer test-key", "content-type": "application/json" },
  });
  signal.addEventListener("abort", () => request.destroy());
  request.on("error", (error) => {
    if (!signal.aborted) console.error(error);
  });
  request.on("response", (response) => {
    let rest = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data: ")) take(line.slice(6), socket);
    });
  });
  request.end(text);
});
