import http from "node:http";
import OpenAI from "openai";
import { Server } from "socket.io";
import { serve } from "./web-socket-server.ts";

/** The SDK's stream, one Socket.IO event per token. */
const openai = new OpenAI({ apiKey: "test-key", baseURL: process.argv[2] ?? "" });
const server = http.createServer();
const io = new Server(server, { transports: ["websocket"] });

io.on("connection", (socket) => {
  const gone = new AbortController();
  socket.on("disconnect", () => gone.abort());

  async function answer({ model, input }: { model: string; input: string }): Promise<void> {
    const stream = await openai.responses.create({ model, input, stream: true }, { signal: gone.signal });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") socket.emit("chunk", event.delta);
      else if (event.type === "response.completed") socket.emit("response", event.response);
    }
  }

  socket.on("ask", (body) => {
    answer(body).catch((error: unknown) => {
      if (!gone.signal.aborted) console.error(error);
    });
  });
});

await serve(server);
