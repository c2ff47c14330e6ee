import { answerParts } from "../../tests/doubles/answer.ts";
import { eventTexts } from "../../tests/doubles/event-text.ts";
import { tokenBytes } from "../time-stamp.ts";

/** The API of a provider, found by the path of a call. */
export type Api = "responses" | "chat-completions" | "messages" | "gemini";

/** The events of an answer over one API, as its vendor writes them. */
interface ApiEvents {
  opening(): string;
  /** `number` is the event's number in its answer. */
  delta(token: string, number: number): string;
  closing(tokens: number): string;
}

/** Have the form of the vendors' ids. */
const itemId = `msg_${"0123456789abcdef".repeat(3)}00`;
const shortId = "9Xk2mQ7fVb41RzLp0TcW";
const paddings = ["k2VbQx9TzLw0", "Zp7cN1", "aHd83mRtyU", "Wq5", "eLs0Gv2JpX4b"];

/**
 * The text of the closing events is as long as the streamed one but holds no token, so a reader that counts tokens counts each once. The
 * other three APIs do not repeat the text.
 */
function responsesParts(tokens: number) {
  const text = ".".repeat(tokens * tokenBytes);
  return answerParts({ finalText: text, deltas: [], usage: { inputTokens: 10, outputTokens: tokens } });
}

const responses: ApiEvents = {
  opening: () => eventTexts(responsesParts(1).prologue).join(""),
  delta: (token, number) =>
    `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":${number},"item_id":"${itemId}","output_index":0,"content_index":0,"delta":"${token}","logprobs":[],"obfuscation":"${paddings[number % paddings.length]}"}\n\n`,
  closing(tokens) {
    const { prologue, epilogue, terminal } = responsesParts(tokens);
    return eventTexts([...epilogue, terminal], prologue.length + tokens).join("");
  },
};

const chatHead = `"id":"chatcmpl-${shortId}","object":"chat.completion.chunk","created":1796000000,"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_0123456789"`;
const chatChoice = (delta: string, reason: string) =>
  `"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${reason}}],"usage":null`;

const chatCompletions: ApiEvents = {
  opening: () =>
    `data: {${chatHead},${chatChoice('{"role":"assistant","content":"","refusal":null}', "null")},"obfuscation":"Wq5"}\n\n`,
  delta: (token, number) =>
    `data: {${chatHead},${chatChoice(`{"content":"${token}"}`, "null")},"obfuscation":"${paddings[number % paddings.length]}"}\n\n`,
  closing: (tokens) =>
    `data: {${chatHead},${chatChoice("{}", '"stop"')},"obfuscation":"Zp7cN1"}\n\ndata: {${chatHead},"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":${tokens},"total_tokens":${10 + tokens}}}\n\ndata: [DONE]\n\n`,
};

const messages: ApiEvents = {
  opening: () =>
    `event: message_start\ndata: {"type":"message_start","message":{"id":"msg_${shortId}","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\nevent: ping\ndata: {"type": "ping"}\n\n`,
  delta: (token) =>
    `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${token}"}}\n\n`,
  closing: (tokens) =>
    `event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":${tokens}}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n`,
};

const geminiChunk = (text: string, tokens: number, more = "") =>
  `data: {"candidates": [{"content": {"parts": [{"text": "${text}"}],"role": "model"},${more}"index": 0}],"usageMetadata": {"promptTokenCount": 10,"candidatesTokenCount": ${tokens},"totalTokenCount": ${10 + tokens},"promptTokensDetails": [{"modality": "TEXT","tokenCount": 10}]},"modelVersion": "gemini-2.5-flash","responseId": "${shortId}"}\r\n\r\n`;

const gemini: ApiEvents = {
  opening: () => "",
  delta: (token, number) => geminiChunk(token, number),
  closing: (tokens) => geminiChunk("", tokens, '"finishReason": "STOP",'),
};

/** All APIs by the end of their calls' paths. */
export const apis: Readonly<Record<Api, { readonly path: string; readonly events: ApiEvents }>> = {
  responses: { path: "/responses", events: responses },
  "chat-completions": { path: "/chat/completions", events: chatCompletions },
  messages: { path: "/messages", events: messages },
  gemini: { path: ":streamGenerateContent", events: gemini },
};

/** The API of a call to this path; `undefined` if there is none. */
export function apiOf(path: string): Api | undefined {
  const [bare = ""] = path.split("?");
  return (Object.keys(apis) as Api[]).find((api) => bare.endsWith(apis[api].path));
}
