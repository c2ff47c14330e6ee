import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

const folder = new URL("../../fixtures/recorded-messages/", import.meta.url);

const citation = z.object({ url: z.string(), title: z.string() });
const block = z.object({
  type: z.string(),
  text: z.string().optional(),
  id: z.string().optional(),
  name: z.string().optional(),
  tool_use_id: z.string().optional(),
  to: z.object({ model: z.string() }).optional(),
});
const delta = z.object({
  type: z.string().optional(),
  text: z.string().optional(),
  thinking: z.string().optional(),
  signature: z.string().optional(),
  partial_json: z.string().optional(),
  citation: citation.optional(),
  stop_reason: z.string().optional(),
});
const usage = z.object({
  input_tokens: z.number().optional(),
  output_tokens: z.number().optional(),
  cache_read_input_tokens: z.number().optional(),
});
const recordedEvent = z.object({
  type: z.string(),
  index: z.number().optional(),
  message: z.object({ id: z.string(), model: z.string(), usage }).optional(),
  content_block: block.optional(),
  delta: delta.optional(),
  usage: usage.optional(),
});

export interface RecordedMessage {
  readonly name: string;
  /** The events as their vendor wrote them. */
  readonly lines: readonly string[];
}

interface FullCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

/** The result of reading all events. */
export interface FullMessage {
  readonly text: string;
  readonly reasoning: string;
  readonly signatures: readonly string[];
  readonly calls: readonly FullCall[];
  /** Calls of the vendor's own tools, and whether each has its result. */
  readonly tools: readonly (FullCall & { readonly hasResult: boolean })[];
  /** The addresses that the text cites, each once. */
  readonly sources: readonly string[];
  readonly usage: z.output<typeof usage>;
  /** The vendor's stop reason; `undefined` if it did not come. */
  readonly stop: string | undefined;
  readonly model: string | undefined;
}

/** Every stream of the fixtures. */
export function recordedMessages(): RecordedMessage[] {
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
export function readMessageInFull(lines: readonly string[]): FullMessage {
  const events = lines.map((line) => recordedEvent.parse(JSON.parse(line)));
  const deltas = events.flatMap((event) => event.delta ?? []);
  const blocks = events.flatMap(({ index, content_block: given }) =>
    given === undefined ? [] : [{ ...given, index }],
  );
  const callsOf = (...types: readonly string[]) =>
    blocks
      .filter(({ type }) => types.includes(type))
      .map(({ id = "", name = "", index }) => {
        const pieces = events
          .filter((event) => event.index === index)
          .map((event) => event.delta?.partial_json);
        const written = pieces.join("");
        return { callId: id, name, arguments: written === "" ? "{}" : written };
      });
  const results = blocks.map(({ tool_use_id: id }) => id);
  const usages = events.flatMap((event) => [event.message?.usage ?? [], event.usage ?? []].flat());
  const models = events.flatMap((event) =>
    [event.message?.model ?? [], event.content_block?.to?.model ?? []].flat(),
  );
  return {
    text: deltas.map(({ text = "" }) => text).join(""),
    reasoning: deltas.map(({ thinking = "" }) => thinking).join(""),
    signatures: deltas.flatMap(({ signature }) => signature ?? []),
    calls: callsOf("tool_use"),
    tools: callsOf("server_tool_use", "mcp_tool_use").map((call) => ({
      ...call,
      hasResult: results.includes(call.callId),
    })),
    sources: [...new Set(deltas.flatMap(({ citation: cited }) => cited?.url ?? []))],
    usage: Object.assign({}, ...usages),
    stop: deltas.map(({ stop_reason: stop }) => stop).find((stop) => stop !== undefined),
    model: models.at(-1),
  };
}

const frame = (line: string, end: string) => {
  const { type } = recordedEvent.parse(JSON.parse(line));
  return `event: ${type}${end}data: ${line}${end}${end}`;
};

/** Ways in which the vendor and gateways frame the same events. */
export const messageFramings: Readonly<Record<string, (lines: readonly string[]) => string>> = {
  "as Anthropic does": (lines) => lines.map((line) => frame(line, "\n")).join(""),
  "without names": (lines) => lines.map((line) => `data: ${line}\n\n`).join(""),
  "with CR LF and comments": (lines) => lines.map((line) => `: ping\r\n\r\n${frame(line, "\r\n")}`).join(""),
  // BerriAI/litellm#4562
  "padded before the last brace": (lines) =>
    lines.map((line, index) => frame(line.replace(/\}$/, `${" ".repeat(index % 9)}}`), "\n")).join(""),
};
