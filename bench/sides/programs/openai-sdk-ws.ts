import OpenAI from "openai";
import { serveWebSockets } from "./web-socket-server.ts";

/** The program that most people write first: the SDK's stream, one frame per token. */
const openai = new OpenAI({ apiKey: "test-key", baseURL: process.argv[2] ?? "" });

await serveWebSockets(async (text, socket, signal) => {
  const { model, input }: { model: string; input: string } = JSON.parse(text);
  const stream = await openai.responses.create({ model, input, stream: true }, { signal });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta")
      socket.send(JSON.stringify({ type: "chunk", chunk: event.delta, is_final: false }));
    else if (event.type === "response.completed")
      socket.send(JSON.stringify({ type: "response", data: event.response }));
  }
});
