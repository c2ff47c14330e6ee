import OpenAI from "openai";
import { endMark } from "./script.ts";

/** The upstream's answer as any application reads it, followed by a mark. */
export async function* upstreamText(baseURL: string): AsyncGenerator<string> {
  const openai = new OpenAI({ baseURL, apiKey: "test-key" });
  const events = await openai.responses.create({ model: "gpt-4o-mini", input: "Count.", stream: true });
  for await (const event of events) if (event.type === "response.output_text.delta") yield event.delta;
  yield `${endMark} `;
}
