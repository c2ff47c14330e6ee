import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";
import { serveWebSockets } from "./web-socket-server.ts";

/** The AI SDK's stream of text, one frame per piece. */
const openai = createOpenAI({ apiKey: "test-key", baseURL: process.argv[2] ?? "" });

await serveWebSockets(async (text, socket, abortSignal) => {
  const { model, input }: { model: string; input: string } = JSON.parse(text);
  const { textStream } = streamText({ model: openai.responses(model), prompt: input, abortSignal });
  for await (const piece of textStream)
    socket.send(JSON.stringify({ type: "chunk", chunk: piece, is_final: false }));
});
