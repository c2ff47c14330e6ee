import { z } from "zod";
import type { JsonObject } from "../../ports/json.ts";
import type { FinishReason, ProviderEvent, Usage } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { fromStreamError } from "./openai-errors.ts";

/** Items of an answer that are no tool calls. */
const plainItems = new Set(["message", "reasoning", "compaction"]);

type State = "silent" | "open" | "ended";

/** Where a response that runs in the background was left, and what the machine had made of it by then. */
export const responsePlace = z.object({
  responseId: z.string(),
  /** `sequence_number` of the last event that was accepted. */
  sequenceNumber: z.int(),
  sawText: z.boolean(),
  reasoningParts: z.int(),
});
export type ResponsePlace = z.output<typeof responsePlace>;

export interface ResponsesMachineOptions {
  readonly includeReasoning: boolean;
  /** The vendor numbers the events and gives them again when asked: those that were accepted are passed over. Default false. */
  readonly numbered?: boolean;
  /** Goes on from there. */
  readonly place?: ResponsePlace | undefined;
}

/**
 * From the data of a Responses API event stream to provider events. Exactly one terminal event ends it; what comes later is
 * ignored, and an end of the stream before it is an error, which the stock SDK does not tell.
 * Event names and shapes: `ResponseStreamEvent` of the openai package.
 */
export class ResponsesMachine {
  readonly #includeReasoning: boolean;
  readonly #numbered: boolean;
  #state: State;
  #sawText: boolean;
  #reasoningParts: number;
  #responseId: string | undefined;
  #sequenceNumber: number | undefined;
  /** The calls' own ids by those of their items, where a call has one: what its caller answers it under. */
  #callIds: Map<string, string> | undefined;

  constructor({ includeReasoning, numbered = false, place }: ResponsesMachineOptions) {
    this.#includeReasoning = includeReasoning;
    this.#numbered = numbered;
    this.#state = place === undefined ? "silent" : "open";
    this.#sawText = place?.sawText ?? false;
    this.#reasoningParts = place?.reasoningParts ?? 0;
    this.#responseId = place?.responseId;
    this.#sequenceNumber = place?.sequenceNumber;
  }

  /** Whether a text may be accepted without its event: the answer has begun, and nothing else of the event would count. */
  get takesText(): boolean {
    return this.#state === "open" && !this.#numbered;
  }

  /** Nothing was accepted yet. */
  get silent(): boolean {
    return this.#state === "silent";
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /** The vendor's name of the response, once it was told. */
  get responseId(): string | undefined {
    return this.#responseId;
  }

  /** Where the answer can be taken up again; `undefined` as long as it cannot. */
  get place(): ResponsePlace | undefined {
    const [responseId, sequenceNumber] = [this.#responseId, this.#sequenceNumber];
    if (responseId === undefined || sequenceNumber === undefined) return undefined;
    return { responseId, sequenceNumber, sawText: this.#sawText, reasoningParts: this.#reasoningParts };
  }

  /** The same as accepting the event whose text this is; the caller shows it. */
  acceptText(delta: string): void {
    this.#sawText ||= delta !== "";
  }

  /** The stream is over: throws `upstream_empty` or `upstream_truncated` unless the terminal event was there. */
  finish(cause?: unknown): void {
    if (this.#state === "silent") throw new TroupeError("upstream_empty", { cause });
    if (this.#state === "open") throw new TroupeError("upstream_truncated", { cause });
  }

  /** Throws the error that the vendor reports, or `upstream_invalid` for what is not an event. */
  accept(data: string): ProviderEvent[] {
    if (this.#state === "ended" || data === "[DONE]") return [];
    const event = parse(data);
    this.#state = "open";
    if (this.#numbered && this.#isKnown(event.sequence_number)) return [];
    const type = event.type;
    if (typeof type !== "string") {
      if (isObject(event.error)) throw fromStreamError(event.error);
      return [];
    }
    return this.#handle(type, event);
  }

  /** Whether an event of this number was there already; notes it where it was not. */
  #isKnown(number: unknown): boolean {
    if (typeof number !== "number" || !Number.isSafeInteger(number)) return false;
    if (this.#sequenceNumber !== undefined && number <= this.#sequenceNumber) return true;
    this.#sequenceNumber = number;
    return false;
  }

  #handle(type: string, event: JsonObject): ProviderEvent[] {
    switch (type) {
      case "response.output_text.delta":
      case "response.refusal.delta":
        return this.#text(event.delta);
      case "response.created":
        if (!isObject(event.response)) return [{ type: "started" }];
        if (typeof event.response.id === "string") this.#responseId = event.response.id;
        return [{ type: "started", response: event.response }];
      case "response.reasoning_summary_part.added":
        this.#reasoningParts += 1;
        return this.#reasoningParts > 1 ? this.#reasoning("\n\n") : [];
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        return this.#reasoning(event.delta);
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#toolItem(event.item, type.endsWith("added") ? "in_progress" : "completed");
      case "response.completed":
      case "response.incomplete":
        return this.#end(event.response);
      case "response.failed": {
        const error = isObject(event.response) ? event.response.error : undefined;
        throw fromStreamError(isObject(error) ? error : {});
      }
      case "error":
        throw fromStreamError(isObject(event.error) ? event.error : event);
      default:
        return this.#toolProgress(type, event.item_id);
    }
  }

  #text(delta: unknown): ProviderEvent[] {
    if (typeof delta !== "string" || delta === "") return [];
    this.#sawText = true;
    return [{ type: "text", text: delta }];
  }

  #reasoning(delta: unknown): ProviderEvent[] {
    return this.#includeReasoning && typeof delta === "string" && delta !== ""
      ? [{ type: "reasoning", text: delta }]
      : [];
  }

  /** A tool call's item appeared or is done; messages and reasoning have events of their own. */
  #toolItem(item: unknown, fallbackStatus: string): ProviderEvent[] {
    if (!isObject(item) || typeof item.type !== "string" || plainItems.has(item.type)) return [];
    const status = typeof item.status === "string" ? item.status : fallbackStatus;
    const itemId = String(item.id ?? "");
    const callId = typeof item.call_id === "string" && item.call_id !== "" ? item.call_id : itemId;
    if (callId !== itemId) this.#callIds = (this.#callIds ?? new Map<string, string>()).set(itemId, callId);
    return [{ type: "tool", tool: toolName(item.type), status, callId, payload: item }];
  }

  /** `response.web_search_call.searching` and the like; their first and last states come with the items. */
  #toolProgress(type: string, item: unknown): ProviderEvent[] {
    const [, call, status] = /^response\.([a-z_]+_call)\.([a-z_]+)$/.exec(type) ?? [];
    if (call === undefined || status === undefined || status === "in_progress" || status === "completed")
      return [];
    const itemId = String(item ?? "");
    return [{ type: "tool", tool: toolName(call), status, callId: this.#callIds?.get(itemId) ?? itemId }];
  }

  #end(response: unknown): ProviderEvent[] {
    if (!isObject(response))
      throw new TroupeError("upstream_invalid", { cause: new Error("The end has no response.") });
    this.#state = "ended";
    const usage = usageOf(response.usage);
    return [
      ...(this.#sawText ? [] : this.#text(fullText(response.output))),
      {
        type: "end",
        finishReason: finishReasonOf(response),
        model: typeof response.model === "string" ? response.model : "unknown",
        response,
        ...(usage === undefined ? {} : { usage }),
      },
    ];
  }
}

function parse(data: string): JsonObject {
  try {
    const event: unknown = JSON.parse(data);
    if (isObject(event)) return event;
  } catch {
    // Not the parser's own error, which quotes the text.
    throw new TroupeError("upstream_invalid", { cause: new Error("An event's data is not JSON.") });
  }
  throw new TroupeError("upstream_invalid", { cause: new Error("An event's data is not an object.") });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toolName(itemType: string): string {
  return itemType.replace(/_call$/, "");
}

function fullText(output: unknown): string {
  if (!Array.isArray(output)) return "";
  return output
    .filter((item) => isObject(item) && item.type === "message")
    .flatMap((item) => (Array.isArray(item.content) ? item.content : []))
    .map((part) => (isObject(part) ? (part.text ?? part.refusal ?? "") : ""))
    .join("");
}

function finishReasonOf(response: JsonObject): FinishReason {
  const details = response.incomplete_details;
  if (response.status === "incomplete" || isObject(details)) {
    return isObject(details) && details.reason === "content_filter" ? "content_filter" : "length";
  }
  const output = Array.isArray(response.output) ? response.output : [];
  const asksForTool = output.some(
    (item) => isObject(item) && /^(function|custom_tool)_call$/.test(String(item.type)),
  );
  return asksForTool ? "tool_calls" : "stop";
}

function usageOf(usage: unknown): Usage | undefined {
  if (!isObject(usage)) return undefined;
  const { input_tokens: inputTokens, output_tokens: outputTokens } = usage;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  const details = usage.input_tokens_details;
  const cachedTokens = isObject(details) ? details.cached_tokens : undefined;
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    estimated: false,
    ...(isCount(cachedTokens) && cachedTokens <= inputTokens ? { cachedTokens } : {}),
  };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
