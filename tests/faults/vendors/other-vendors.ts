import * as claude from "../../adapters/anthropic/anthropic-setup.ts";
import * as chat from "../../adapters/chat-completions/chat-setup.ts";
import * as gemini from "../../adapters/gemini/gemini-setup.ts";
import { streamScript } from "../../doubles/stream-script.ts";
import { askedIn, type FaultVendor } from "./fault-vendor.ts";
import { type ReportedFailure, type VendorStream, vendorShapes } from "./stream-faults.ts";

interface VendorOptions extends Pick<FaultVendor, "readCall" | "isCall"> {
  readonly kind: "chat-completions" | "anthropic" | "gemini";
  readonly stream: VendorStream;
  readonly reasons: Parameters<typeof vendorShapes>[1];
  readonly reported: readonly ReportedFailure[];
}

function vendor({ kind, stream, reasons, reported, ...reading }: VendorOptions): FaultVendor {
  return {
    ...{ name: kind, ...reading },
    shapes: vendorShapes(stream, reasons, reported),
    says: (text) => streamScript([...stream.opening, stream.delta(text), ...stream.ending(reasons.stop)]),
    options: (baseUrl, key) => ({
      configuration: { providers: { double: { kind, baseUrl, key, model: "m-1" } } },
    }),
  };
}

interface ChatBody {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

const chatFailure = (status: number, code: string, type = "invalid_request_error") => ({
  status,
  body: { error: { message: "It failed.", type, param: null, code } },
});

const chatVendor = vendor({
  kind: "chat-completions",
  stream: {
    opening: [chat.chunk({ role: "assistant", content: "" })],
    delta: chat.text,
    ending: (reason) => [chat.finish(reason), chat.usageChunk, chat.done],
  },
  reasons: { stop: "stop", length: "length", contentFilter: "content_filter" },
  reported: [
    { name: "http-401", ...chatFailure(401, "invalid_api_key"), code: "upstream_auth" },
    { name: "http-404-model", ...chatFailure(404, "model_not_found"), code: "model_not_found" },
    {
      name: "http-400-context",
      ...chatFailure(400, "context_length_exceeded"),
      code: "context_length_exceeded",
    },
    { name: "http-429-quota", ...chatFailure(429, "insufficient_quota"), code: "quota_exceeded" },
    {
      ...{ name: "http-429-pause", ...chatFailure(429, "rate_limit_exceeded", "rate_limit_error") },
      ...{ headers: { "retry-after": "2" }, code: "rate_limited", passes: true, retryAfterMs: 2_000 },
    },
    { name: "http-500", ...chatFailure(500, "server_error"), code: "upstream_error", passes: true },
    { name: "http-503", status: 503, body: {}, code: "upstream_overloaded", passes: true },
    {
      ...{ name: "error-event", event: chat.frame({ error: chatFailure(500, "server_error").body.error }) },
      ...{ code: "upstream_error", passes: true },
    },
  ],
  readCall(body) {
    const { messages } = body as ChatBody;
    const [first] = messages;
    return askedIn(first?.role === "system" ? first.content : undefined, messages);
  },
  isCall: (path) => path.endsWith("/chat/completions"),
});

type Blocks = string | readonly { readonly text?: string }[];

function textOf(content: Blocks | undefined): string {
  if (content === undefined || typeof content === "string") return content ?? "";
  return content.map(({ text = "" }) => text).join("\n\n");
}

const claudeFailure = (status: number, type: string, message = "It failed.") => ({
  status,
  body: { type: "error", error: { type, message }, request_id: "req_1" },
});

const claudeVendor = vendor({
  kind: "anthropic",
  stream: {
    opening: [claude.begin(), claude.openText(), claude.ping],
    delta: (text) => claude.text(text),
    ending: (reason) => [claude.close(), claude.reason(reason), claude.stop],
  },
  reasons: { stop: "end_turn", length: "max_tokens", contentFilter: "refusal" },
  reported: [
    { name: "http-401", ...claudeFailure(401, "authentication_error"), code: "upstream_auth" },
    {
      ...{ name: "http-404-model", ...claudeFailure(404, "not_found_error", "model: m-1") },
      code: "model_not_found",
    },
    { name: "http-400", ...claudeFailure(400, "invalid_request_error"), code: "upstream_invalid_request" },
    {
      ...{ name: "http-429-pause", ...claudeFailure(429, "rate_limit_error") },
      ...{ headers: { "retry-after": "2" }, code: "rate_limited", passes: true, retryAfterMs: 2_000 },
    },
    { name: "http-500", ...claudeFailure(500, "api_error"), code: "upstream_error", passes: true },
    {
      name: "http-529",
      ...claudeFailure(529, "overloaded_error"),
      code: "upstream_overloaded",
      passes: true,
    },
    {
      ...{ name: "error-event-overloaded", event: claude.failure("overloaded_error") },
      ...{ code: "upstream_overloaded", passes: true },
    },
    { name: "error-event", event: claude.failure("api_error"), code: "upstream_error", passes: true },
  ],
  readCall(body) {
    const { system, messages } = body as {
      readonly system?: Blocks;
      readonly messages: readonly { readonly content: Blocks }[];
    };
    return askedIn(system === undefined ? undefined : textOf(system), textOf(messages.at(-1)?.content));
  },
  isCall: (path) => path.endsWith("/messages"),
});

interface Parts {
  readonly parts: readonly { readonly text?: string }[];
}

const geminiFailure = (status: number, name: string) => ({
  status,
  body: { error: { code: status, message: "It failed.", status: name } },
});

const geminiVendor = vendor({
  kind: "gemini",
  stream: {
    opening: [gemini.chunk([{ text: "" }])],
    delta: gemini.text,
    ending: (reason) => [gemini.finish(reason)],
  },
  reasons: { stop: "STOP", length: "MAX_TOKENS", contentFilter: "SAFETY" },
  reported: [
    { name: "http-401", ...geminiFailure(401, "UNAUTHENTICATED"), code: "upstream_auth" },
    { name: "http-404-model", ...geminiFailure(404, "NOT_FOUND"), code: "model_not_found" },
    { name: "http-400", ...geminiFailure(400, "INVALID_ARGUMENT"), code: "upstream_invalid_request" },
    {
      ...{ name: "http-429-pause", ...geminiFailure(429, "RESOURCE_EXHAUSTED") },
      ...{ headers: { "retry-after": "2" }, code: "rate_limited", passes: true, retryAfterMs: 2_000 },
    },
    { name: "http-500", ...geminiFailure(500, "INTERNAL"), code: "upstream_error", passes: true },
    { name: "http-503", ...geminiFailure(503, "UNAVAILABLE"), code: "upstream_overloaded", passes: true },
    {
      ...{ name: "error-event", event: gemini.frame(geminiFailure(503, "UNAVAILABLE").body) },
      ...{ code: "upstream_overloaded", passes: true },
    },
  ],
  readCall(body) {
    const { systemInstruction, contents } = body as {
      readonly systemInstruction?: Parts;
      readonly contents: readonly Parts[];
    };
    return askedIn(systemInstruction && textOf(systemInstruction.parts), textOf(contents.at(-1)?.parts));
  },
  isCall: (path) => path.includes(":streamGenerateContent"),
});

/** The APIs beside OpenAI's Responses API, each with its own bytes. */
export const otherVendors: readonly FaultVendor[] = [chatVendor, claudeVendor, geminiVendor];
