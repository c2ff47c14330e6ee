import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

const folder = new URL("../../fixtures/recorded-chat-completions/", import.meta.url);

const part = z.object({
  type: z.string(),
  text: z.string().optional(),
  thinking: z.array(z.object({ text: z.string() })).optional(),
});
const call = z.object({
  index: z.number().optional(),
  id: z.string().optional(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().optional() }),
});
const delta = z.object({
  content: z.union([z.string(), z.array(part)]).nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  tool_calls: z.array(call).nullish(),
});
const usage = z.object({
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  total_tokens: z.number(),
  prompt_tokens_details: z.object({ cached_tokens: z.number().nullish() }).nullish(),
});
const recordedChunk = z.object({
  model: z.string(),
  choices: z.array(z.object({ delta: delta.optional(), finish_reason: z.string().nullish() })),
  usage: usage.nullish(),
  citations: z.array(z.string()).optional(),
});

export interface RecordedChat {
  readonly name: string;
  /** The chunks as their vendor wrote them. */
  readonly lines: readonly string[];
}

/** The result of reading all chunks. */
export interface FullChat {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly callId: string; readonly name: string; readonly arguments: string }[];
  /** The addresses of the sources, each once. */
  readonly sources: readonly string[];
  /** The addresses that the marks in the text mean, such as `[2]`. */
  readonly marked: readonly string[];
  readonly usage: z.output<typeof usage> | undefined;
  /** The vendor's finish reason; `undefined` if it did not come. */
  readonly finish: string | undefined;
  readonly model: string;
}

/** Every stream of the fixtures. */
export function recordedChats(): RecordedChat[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".chunks.txt"))
    .sort()
    .map((file) => ({
      name: file.replace(".chunks.txt", ""),
      lines: readFileSync(new URL(file, folder), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== ""),
    }));
}

/** Slow and obviously right, for the forms that are in the fixtures. */
export function readChatInFull(lines: readonly string[]): FullChat {
  const chunks = lines.map((line) => recordedChunk.parse(JSON.parse(line)));
  const deltas = chunks.flatMap(({ choices }) => choices.flatMap((choice) => choice.delta ?? []));
  const usages = chunks.flatMap((chunk) => chunk.usage ?? []);
  const text = deltas.map(({ content }) => partsOf(content).text).join("");
  const sources = [...new Set(chunks.flatMap(({ citations = [] }) => citations))];
  const marks = sources.length === 0 ? [] : text.matchAll(/\[(\d+)\]/g);
  const finishes = chunks.flatMap(({ choices }) => choices.flatMap((choice) => choice.finish_reason ?? []));
  return {
    text,
    sources,
    marked: [...marks].flatMap(([, number]) => sources[Number(number) - 1] ?? []),
    reasoning: deltas
      .map((one) => one.reasoning_content ?? one.reasoning ?? partsOf(one.content).thoughts)
      .join(""),
    calls: callsOf(deltas.flatMap(({ tool_calls }) => tool_calls ?? [])),
    usage: usages.at(-1),
    finish: finishes.at(-1),
    model: chunks.map(({ model }) => model).findLast((model) => model !== "") ?? "",
  };
}

function partsOf(content: z.output<typeof delta>["content"]): { text: string; thoughts: string } {
  if (!Array.isArray(content)) return { text: content ?? "", thoughts: "" };
  const text = content.map((one) => one.text ?? "").join("");
  const thoughts = content.flatMap(({ thinking = [] }) => thinking.map((one) => one.text)).join("");
  return { text, thoughts };
}

/** In these streams only the first piece of a call has an id. */
function callsOf(pieces: readonly z.output<typeof call>[]): FullChat["calls"] {
  const calls: { callId: string; name: string; arguments: string }[] = [];
  for (const { id, function: given } of pieces) {
    if (id !== undefined && id !== "") calls.push({ callId: id, name: given.name ?? "", arguments: "" });
    const last = calls.at(-1);
    if (last !== undefined) last.arguments += given.arguments ?? "";
  }
  return calls;
}

/** Ways in which vendors and proxies frame the same chunks. */
export const chatFramings: Readonly<Record<string, (lines: readonly string[]) => string>> = {
  "with [DONE]": (lines) => `${lines.map((line) => `data: ${line}\n\n`).join("")}data: [DONE]\n\n`,
  "without [DONE]": (lines) => lines.map((line) => `data: ${line}\n\n`).join(""),
  "with CR LF and comments": (lines) =>
    `${lines.map((line) => `: PROCESSING\r\n\r\ndata: ${line}\r\n\r\n`).join("")}data: [DONE]\r\n\r\n`,
  "without spaces": (lines) => lines.map((line) => `data:${JSON.stringify(JSON.parse(line))}\n\n`).join(""),
};
