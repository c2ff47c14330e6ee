import fc from "fast-check";
import { anyDelta, type StreamShapes } from "./any-stream.ts";

/** Ways of writing a delta whose text has the name `leaf` and is somewhere in the field `root`. */
function oddWritingsOf(root: string, leaf: string): readonly ((event: object) => string)[] {
  const withText = (event: object, text: unknown) =>
    JSON.stringify(event, (name, value: unknown) => (name === leaf ? "~" : value)).replace(
      '"~"',
      JSON.stringify(text),
    );
  const json = (event: object) => JSON.stringify(event);
  const raw = (text: string) => (event: object) => withText(event, "a@b").replace("@", text);
  return [
    (event) => JSON.stringify(event, null, 1).replaceAll("\n", " "),
    (event) => json(event).replaceAll('":', '" : ').replaceAll(',"', ' , "'),
    (event) => json(event).replaceAll('":', '":\t'),
    (event) => json(event).replace("{", `{"${root}":"first",`),
    (event) => json(event).replace(/}$/, `,"${root}":"last"}`),
    (event) => json(event).replace(/}$/, `,${withText(event, "last").slice(1)}`),
    (event) => json(event).replace(`"${leaf}":`, `"${leaf}":"first","${leaf}":`),
    (event) =>
      json(event).replace(`"${leaf}":`, `"\\u00${leaf.charCodeAt(0).toString(16)}${leaf.slice(1)}":`),
    (event) =>
      json(event).replace(
        `"${leaf}":`,
        `"${leaf}":"first","\\u00${leaf.charCodeAt(0).toString(16)}${leaf.slice(1)}":`,
      ),
    (event) => json(event).replace("{", `{"${root}.${leaf}":"x",`),
    (event) => json(event).replace(/}$/, "  }"),
    (event) => json(event).replace(/}}$/, " } }"),
    (event) => json(event).replace(/}$/, "\u00a0}"),
    (event) => json(event).replace(/:(\d)/, ":0$1"),
    (event) => json(event).replace(/:\d+/g, ":-3"),
    (event) => json(event).replace(/:\d+/g, ":1.5"),
    (event) => json(event).replace(/:\d+/g, ":1e2"),
    (event) => json(event).slice(0, -1),
    (event) => json(event).slice(0, -2),
    (event) => `${json(event)} `,
    (event) => `[${json(event)}]`,
    ...[null, 5, [], {}, [{ type: "text", text: "deep" }], { [leaf]: "deep" }].map(
      (text) => (event: object) => withText(event, text),
    ),
    ...["\t", "\\x", "\\ud83d", "\\u00e9", '"'].map(raw),
  ];
}

const tokens = fc.nat({ max: 2_000 });

function chunk(delta: object, more: object = {}) {
  const choice = { index: 0, delta, logprobs: null, finish_reason: null };
  return { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_764, choices: [choice], ...more };
}

const obfuscation = fc.constantFrom("x7", "", "Yh2kP");
const anyChoice = fc.record(
  {
    index: fc.constantFrom(0, 1),
    delta: fc.record(
      { role: fc.constant("assistant"), content: fc.oneof(anyDelta, fc.constant(null)), refusal: anyDelta },
      { requiredKeys: [] },
    ),
    finish_reason: fc.constantFrom(null, "", "stop"),
  },
  { requiredKeys: [] },
);

/** Streams of Chat Completions, as OpenAI, DeepSeek, xAI and Groq send them. */
export const chatShapes: StreamShapes = {
  begins: [`data: ${JSON.stringify(chunk({ role: "assistant", content: "" }))}\n\n`, ""],
  name: "chat.completion.chunk",
  frame: (data) => `data: ${data}\n\n`,
  plain: fc
    .record({ content: anyDelta, obfuscation })
    .map(({ content, obfuscation }) => chunk({ content }, { usage: null, obfuscation })),
  thought: fc.oneof(
    anyDelta.map((text) => chunk({ content: null, reasoning_content: text }, { usage: null })),
    anyDelta.map((text) => chunk({ content: "", reasoning: text })),
    anyDelta.map((text) => chunk({ reasoning_content: text, reasoning: "" })),
  ),
  other: fc.oneof(
    anyDelta.map((content) => chunk({ content, reasoning_content: "both" })),
    anyDelta.map((text) => chunk({ reasoning_content: text, reasoning: text })),
    anyDelta.map((content) => chunk({ content, tool_calls: [{ function: { content } }] })),
    fc.array(anyChoice, { maxLength: 2 }).map((choices) => ({ ...chunk({}), choices })),
    fc.constantFrom<object>(
      { id: "x", choices: [], usage: { prompt_tokens: 3 } },
      { error: { message: "said" } },
      { choices: { 0: { delta: { content: "no list" } } } },
      { delta: { content: "another place" } },
    ),
  ),
  oddWritings: oddWritingsOf("choices", "content"),
};

function block(type: string, fields: object, index = 0) {
  return { type: "content_block_delta", index, delta: { type, ...fields } };
}

const messageStart = { type: "message_start", message: { id: "msg_1", content: [], usage: {} } };

/** Streams of Anthropic Messages. Some events are padded with spaces before their last brace. */
export const messagesShapes: StreamShapes = {
  begins: [`event: message_start\ndata: ${JSON.stringify(messageStart)}\n\n`, ""],
  name: "content_block_delta",
  frame: (data) =>
    `event: content_block_delta\ndata: ${data.replace(/}$/, `${" ".repeat(data.length % 3)}}`)}\n\n`,
  plain: anyDelta.map((text) => block("text_delta", { text })),
  thought: anyDelta.map((thinking) => block("thinking_delta", { thinking })),
  other: fc.oneof(
    anyDelta.map((text) => block("text_delta", { text }, 1)),
    anyDelta.map((text) => block("text_delta", { text, thinking: text })),
    anyDelta.map((text) => block("input_json_delta", { partial_json: text, text })),
    anyDelta.map((text) => block("signature_delta", { signature: text })),
    anyDelta.map((text) => ({ type: "content_block_start", index: 0, delta: { type: "text_delta", text } })),
    fc.constantFrom<object>({ type: "ping" }, { type: "message_stop" }, { type: "content_block_delta" }),
  ),
  oddWritings: oddWritingsOf("delta", "text"),
};

const anyUsage = fc
  .record({ candidatesTokenCount: tokens, totalTokenCount: tokens })
  .map((counts) => ({ promptTokenCount: 9, ...counts, promptTokensDetails: [{ tokenCount: 9 }] }));

function candidate(parts: readonly object[], usageMetadata: object, more: object = {}) {
  const content = { parts, role: "model" };
  return { candidates: [{ content, index: 0, ...more }], usageMetadata, responseId: "r" };
}

/** Streams of Gemini. */
export const geminiShapes: StreamShapes = {
  begins: ["", ": begins\n\n"],
  name: "message",
  frame: (data) => `data: ${data}\n\n`,
  plain: fc.tuple(anyDelta, anyUsage).map(([text, usage]) => candidate([{ text }], usage)),
  thought: fc.tuple(anyDelta, anyUsage).map(([text, usage]) => candidate([{ text, thought: true }], usage)),
  other: fc.oneof(
    anyDelta.map((text) => candidate([{ text }], {}, { finishReason: "STOP" })),
    anyDelta.map((text) => candidate([{ text }, { text }], {})),
    anyDelta.map((text) => candidate([{ text, thoughtSignature: text }], { totalTokenCount: "7" })),
    anyDelta.map((text) => candidate([{ functionCall: { name: "f", args: { text } } }], {})),
    fc.constantFrom<object>(
      { usageMetadata: { trafficType: "ON_DEMAND" } },
      { promptFeedback: { blockReason: "SAFETY" } },
      { candidates: [{ content: { role: "model" } }] },
      { error: { code: 429 } },
    ),
  ),
  oddWritings: oddWritingsOf("candidates", "text"),
};
