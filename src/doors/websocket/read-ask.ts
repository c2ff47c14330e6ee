import { readCarried } from "../../ports/carried-reasoning.ts";
import { type Item, type ItemPart, textMessage } from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { NamedChoice, Pacing, TurnRequest } from "../../ports/turn-request.ts";
import type { RequestMessage } from "../../protocol/client-messages.ts";
import type { InputItem, InputPart } from "../../protocol/input-items.ts";
import type { OpenaiChatOptions } from "../../protocol/responses-options.ts";
import type { SessionAsk } from "../../server/session.ts";

type WireChoice = Pick<RequestMessage["data"], "api" | "model">;

/** The server's own pacing. A request overrides the values that it names. */
export interface DefaultPacing extends Omit<Pacing, "chunkChars"> {
  readonly chunkChars: { readonly responses: number; readonly personas: number };
}

/** Turns a decoded message into a request that does not depend on the door, with every default filled in. */
export function readAsk(message: RequestMessage, defaults: DefaultPacing): SessionAsk {
  const { data } = message;
  const whenUnwatched = data.on_disconnect === "cancel" ? 0 : data.on_disconnect;
  return {
    ...(message.id === undefined ? {} : { id: message.id }),
    request: readRequest(message, defaults),
    content: readContent(message),
    ...("conversation_id" in data && data.conversation_id !== undefined
      ? { conversation: data.conversation_id }
      : {}),
    ...(whenUnwatched === undefined ? {} : { whenUnwatched }),
    ...(data.on_interrupt === undefined ? {} : { whenInterrupted: data.on_interrupt }),
    ...(data.retry === undefined ? {} : { retrySeq: data.retry }),
  };
}

/** Defaults that the protocol fixes. The server's own defaults may change, so they are not filled in here. */
const wireDefaults: Readonly<Record<string, unknown>> = {
  api: "openai",
  stream: true,
  include_reasoning: false,
  include_sources: false,
  include_usage: false,
};

/** Fields that control how a request is run, not its content. */
const uncounted: ReadonlySet<string> = new Set(["on_disconnect", "on_interrupt", "retry"]);
/** Objects that may be empty. */
const mayBeEmpty: ReadonlySet<string> = new Set(["options", "pacing"]);

/** The content of a request, as it was sent. */
function readContent({ type, data }: RequestMessage): object {
  const asked = Object.entries(data).filter(
    ([name, value]) =>
      !uncounted.has(name) && value !== wireDefaults[name] && !(mayBeEmpty.has(name) && isEmpty(value)),
  );
  return { type, data: Object.fromEntries(asked) };
}

function isEmpty(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && Object.values(value).every((inner) => inner === undefined)
  );
}

function readRequest(message: RequestMessage, defaults: DefaultPacing): TurnRequest {
  const any = {
    pacing: readPacing(message, defaults),
    ...readChoice(message.data),
    ...(message.data.fallback === undefined ? {} : { fallback: message.data.fallback.map(readChoice) }),
    ...(message.data.include_sources === true ? { includeSources: true as const } : {}),
    ...(message.data.include_usage === true ? { includeUsage: true as const } : {}),
    ...(message.data.budget_tokens === undefined ? {} : { budgetTokens: message.data.budget_tokens }),
  };
  if (message.type === "openai_chat") {
    const { data } = message;
    return {
      kind: "responses",
      input: data.input === undefined ? [textMessage("user", data.input_text ?? "")] : readItems(data.input),
      includeReasoning: data.include_reasoning ?? false,
      options: readOptions(data.options),
      ...any,
      ...(data.options?.background === true ? { inBackground: true } : {}),
      // The vendor is told not to store it, so nothing of it is stored here either.
      ...(data.options?.store === false ? { isTransient: true } : {}),
      ...(data.options?.max_output_tokens === undefined ? {} : { maxTokens: data.options.max_output_tokens }),
      ...(data.previous_response_id === undefined ? {} : { previousResponseId: data.previous_response_id }),
      ...(data.tools === undefined ? {} : { tools: data.tools as JsonObject[] }),
    };
  }
  const { data } = message;
  const shared = {
    input: [textMessage("user", data.message)],
    ...any,
    ...(data.temperature === undefined ? {} : { temperature: data.temperature }),
    ...(data.max_tokens === undefined ? {} : { maxTokens: data.max_tokens }),
  };
  if (message.type === "chat") return { kind: "persona", personaIds: [message.data.persona_id], ...shared };
  const { persona_ids: personaIds, stream, members } = message.data;
  return {
    ...{ kind: "personas", personaIds, showText: stream ?? true, ...shared },
    ...(members === undefined
      ? {}
      : { members: members.map((member) => ({ personaId: member.persona_id, ...readChoice(member) })) }),
  };
}

function readChoice({ api, model }: WireChoice): NamedChoice {
  return { ...(api === undefined ? {} : { api }), ...(model === undefined ? {} : { model }) };
}

/** The options in the words of the Responses API, which all providers translate. */
function readOptions({ response_format: format, stop, ...options }: OpenaiChatOptions = {}): JsonObject {
  // Everything else in them is the vendor's own JSON.
  const asked = { ...options, ...(stop === undefined ? {} : { stop: [stop].flat() }) } as JsonObject;
  if (!isObject(format)) return asked;
  const { json_schema: schema, ...rest } = format;
  const text = isObject(asked.text) ? asked.text : {};
  return { ...asked, text: { ...text, format: { ...rest, ...(isObject(schema) ? schema : {}) } } };
}

function readPacing({ type, data: { pacing } }: RequestMessage, defaults: DefaultPacing): Pacing {
  return {
    mode: pacing?.mode ?? defaults.mode,
    chunkChars: pacing?.chunk_chars ?? defaults.chunkChars[type === "openai_chat" ? "responses" : "personas"],
    intervalMs: pacing?.interval_ms ?? defaults.intervalMs,
    maxLagMs: pacing?.max_lag_ms ?? defaults.maxLagMs,
  };
}

/** The fields that the server's inside names in its refusals, under their names in a frame's `data`. */
const wireNames: ReadonlyMap<string, string> = new Map([
  ["after", "after"],
  ["afterSeq", "after_seq"],
  ["conversationId", "conversation_id"],
  ["fallback", "fallback"],
  ["input", "input"],
  ["members", "members"],
  ["options", "options"],
  ["personaId", "persona_id"],
  ["personaIds", "persona_ids"],
  ["previousResponseId", "previous_response_id"],
  ["requestId", "request_id"],
  ["retrySeq", "retry"],
  ["tools", "tools"],
]);

/** The path in a client's frame of the field that a refusal names. Paths that the frame's decoder found are already such paths. */
export function wireField(field: string): string {
  const [head = "", ...rest] = field.split(".");
  const name = wireNames.get(head);
  // The fields below the others are the client's own words.
  const below = head === "members" ? rest.map((part) => wireNames.get(part) ?? part) : rest;
  return name === undefined ? field : ["data", name, ...below].join(".");
}

/** The form of `input` is that of one vendor, and so is the encrypted reasoning in it. */
const vendorOfItems = "openai";

/** Turns the items of a frame into items that do not depend on the door. */
function readItems(input: readonly InputItem[]): Item[] {
  return input.map(readItem);
}

function readItem(item: InputItem): Item {
  switch (item.type) {
    case "function_call":
      return { type: "tool-call", callId: item.call_id, name: item.name, arguments: item.arguments };
    case "function_call_output":
      return { type: "tool-result", callId: item.call_id, output: readParts(item.output) };
    case "reasoning": {
      const { summary, encrypted_content } = item;
      const carried = encrypted_content === undefined ? undefined : readCarried(encrypted_content);
      if (carried !== undefined) return carried;
      const text = summary.map((part) => part.text).join("\n\n");
      if (encrypted_content === undefined) return { type: "reasoning", text };
      return {
        type: "reasoning",
        text,
        providerState: { provider: vendorOfItems, state: { encrypted_content } },
      };
    }
    default: {
      const role = item.role === "developer" ? "system" : item.role;
      if (typeof item.content === "string") return textMessage(role, item.content);
      return { type: "message", role, parts: readParts(item.content) };
    }
  }
}

function readParts(content: string | readonly InputPart[]): ItemPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content.map(readPart);
}

function readPart(part: InputPart): ItemPart {
  switch (part.type) {
    case "input_text":
    case "output_text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.refusal };
    case "input_image":
      return { type: "image", ...placeOf(part.image_url) };
    case "input_file":
      return {
        type: "file",
        ...(part.filename === undefined ? {} : { filename: part.filename }),
        ...placeOf(part.file_data ?? part.file_url ?? ""),
      };
  }
}

/** The server never loads an address: it is the vendor that does. */
function placeOf(
  source: string,
): { readonly url: string } | { readonly data: string; readonly mediaType: string } {
  const comma = source.indexOf(",");
  const head = /^data:([^;]*);base64$/i.exec(source.slice(0, Math.max(0, comma)));
  if (head === null) return { url: source };
  return { mediaType: head[1] ?? "", data: source.slice(comma + 1) };
}
