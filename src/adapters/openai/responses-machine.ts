import { z } from "zod";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderEvent, Usage } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { StreamEvent } from "../upstream/event-stream-parser.ts";
import { endStatus, finishReasonOf, isFailure, isWhole } from "./end-status.ts";
import { type DeltaKind, growthOfEvent } from "./growths.ts";
import { fullText, mergedOutput, reasoningTexts } from "./merged-output.ts";
import { notAStream, parseEvent, parseJson } from "./parse-event.ts";
import { fromStreamError } from "./stream-error.ts";
import type { StreamedPart } from "./streamed-item.ts";
import { type LateText, StreamedOutput } from "./streamed-output.ts";
import { ToolEvents } from "./tool-events.ts";

/** Max characters that are held of an answer for a poor end: as many as the end itself may have. */
const maxHeldChars = 16 * 1024 * 1024;

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
 * From the events of a Responses API stream to provider events. Exactly one terminal event ends it, or a whole response in the
 * place of a stream; what comes later is ignored, and an end of the stream before it is an error, which the stock SDK does not tell.
 * Whatever event brings a text, it is shown once; the response object at the end has everything that was streamed.
 * Event names and shapes: `ResponseStreamEvent` of the openai package.
 */
export class ResponsesMachine {
  readonly #includeReasoning: boolean;
  readonly #numbered: boolean;
  #state: State;
  #sawText: boolean;
  #sawReasoning: boolean;
  #reasoningParts: number;
  #responseId: string | undefined;
  #sequenceNumber: number | undefined;
  readonly #isNewCall: boolean;
  readonly #tools = new ToolEvents();
  readonly #output: StreamedOutput;
  #lastDelta: { readonly part: StreamedPart | undefined } | undefined;

  constructor({ includeReasoning, numbered = false, place }: ResponsesMachineOptions) {
    this.#includeReasoning = includeReasoning;
    this.#numbered = numbered;
    this.#state = place === undefined ? "silent" : "open";
    this.#sawText = place?.sawText ?? false;
    this.#sawReasoning = place !== undefined;
    this.#reasoningParts = place?.reasoningParts ?? 0;
    this.#responseId = place?.responseId;
    this.#sequenceNumber = place?.sequenceNumber;
    this.#isNewCall = place === undefined;
    this.#output = new StreamedOutput({ maxChars: maxHeldChars, isFromStart: this.#isNewCall });
  }

  /** Whether a delta may be accepted without its event: the answer has begun, and nothing else of the event would count. */
  get takesDeltas(): boolean {
    return this.#state === "open" && !this.#numbered;
  }

  /** Whether the event that was accepted last is a delta, and the part of the answer that it belongs to if that is held. */
  get lastDelta(): { readonly part: StreamedPart | undefined } | undefined {
    return this.#lastDelta;
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

  /** The same as accepting events whose deltas are this text, of the part that the first of them belongs to. */
  acceptDeltas(kind: DeltaKind, text: string, part: StreamedPart | undefined): ProviderEvent[] {
    if (part !== undefined) this.#output.append(part, text);
    return this.#show(kind, text);
  }

  /** The stream is over: throws `upstream_empty` or `upstream_truncated` unless the terminal event was there. */
  finish(cause?: unknown): void {
    if (this.#state === "silent") throw new TroupeError("upstream_empty", { cause });
    if (this.#state === "open") throw new TroupeError("upstream_truncated", { cause });
  }

  /** Throws the error that the vendor reports, or `upstream_invalid` for what is not an event. */
  accept({ name, data }: StreamEvent): ProviderEvent[] {
    this.#lastDelta = undefined;
    if (this.#state === "ended") return [];
    // Nothing comes after it, even if the connection stays open.
    if (data.trim() === "[DONE]") {
      this.finish();
      return [];
    }
    if (name === "error") throw this.#failed(parseJson(data) ?? data);
    const event = parseEvent(data);
    this.#state = "open";
    if (this.#numbered && this.#isKnown(event.sequence_number)) return [];
    const type = typeof event.type === "string" ? event.type : name;
    if (isFailure(type, event)) throw this.#failed(event);
    return this.#handle(type, event);
  }

  /** A body that is no stream: the whole response, or an error. Throws `upstream_invalid` for everything else. */
  acceptWhole(body: string): ProviderEvent[] {
    const whole = parseJson(body);
    if (isFailure("", Array.isArray(whole) ? whole[0] : whole)) throw this.#failed(whole);
    if (!isWhole(whole)) throw notAStream();
    return this.#end("response.completed", whole);
  }

  /** Whether an event of this number was there already; notes it where it was not. */
  #isKnown(number: unknown): boolean {
    if (typeof number !== "number" || !Number.isSafeInteger(number)) return false;
    if (this.#sequenceNumber !== undefined && number <= this.#sequenceNumber) return true;
    this.#sequenceNumber = number;
    return false;
  }

  #handle(type: string, event: JsonObject): ProviderEvent[] {
    const grown = growthOfEvent(type);
    if (grown?.stage === "delta") {
      const { delta } = event;
      if (typeof delta !== "string" || delta === "") return [];
      const part = this.#output.grow(grown.growth, event, delta);
      if (grown.growth.kind === undefined) return [];
      this.#lastDelta = { part };
      return this.#show(grown.growth.kind, delta);
    }
    const gap = type === "response.reasoning_summary_part.added" ? this.#beginReasoning() : [];
    const late = this.#output.accept(type, event).flatMap((text) => this.#showLate(text));
    return [...gap, ...late, ...this.#tell(type, event)];
  }

  /** The rest of an event, beside texts of the answer. */
  #tell(type: string, event: JsonObject): ProviderEvent[] {
    switch (type) {
      case "response.created":
        return this.#start(event.response);
      case "response.queued":
      case "response.in_progress":
        return this.#responseId === undefined && isObject(event.response) ? this.#start(event.response) : [];
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#tools.item(event.item, type.endsWith("added") ? "in_progress" : "completed");
      case "response.completed":
      case "response.done":
      case "response.incomplete":
      case "response.failed":
      case "response.cancelled":
        return this.#end(type, event.response);
      default:
        return this.#tools.progress(type, event.item_id);
    }
  }

  #failed(told: unknown): TroupeError {
    return fromStreamError(told, { isNewCall: this.#isNewCall });
  }

  #start(response: unknown): ProviderEvent[] {
    if (!isObject(response)) return [{ type: "started" }];
    if (typeof response.id === "string") this.#responseId = response.id;
    return [{ type: "started", response }];
  }

  #show(kind: DeltaKind, text: string): ProviderEvent[] {
    if (text === "") return [];
    if (kind === "reasoning") {
      this.#sawReasoning = true;
      return this.#includeReasoning ? [{ type: "reasoning", text }] : [];
    }
    this.#sawText = true;
    return [{ type: "text", text }];
  }

  #showLate({ kind, text, isUnannounced }: LateText): ProviderEvent[] {
    const gap = kind === "reasoning" && isUnannounced ? this.#beginReasoning() : [];
    return [...gap, ...this.#show(kind, text)];
  }

  /** A gap before every part of the reasoning but the first. */
  #beginReasoning(): ProviderEvent[] {
    this.#reasoningParts += 1;
    return this.#reasoningParts > 1 ? this.#show("reasoning", "\n\n") : [];
  }

  #end(type: string, response: unknown): ProviderEvent[] {
    const status = endStatus(type, response);
    if (status === "failed") throw this.#failed((isObject(response) && response.error) || {});
    if (!isObject(response))
      throw new TroupeError("upstream_invalid", { cause: new Error("The end has no response.") });
    if (status === "cancelled")
      throw new TroupeError("upstream_error", { cause: new Error("The provider cancelled the response.") });
    this.#state = "ended";
    const output = mergedOutput(response.output, this.#output.items(status));
    const whole = output === undefined || output === response.output ? response : { ...response, output };
    const usage = usageOf(response.usage);
    return [
      ...this.#unshown(output),
      {
        type: "end",
        finishReason: finishReasonOf(whole, status),
        model: typeof response.model === "string" ? response.model : "unknown",
        response: whole,
        ...(usage === undefined ? {} : { usage }),
      },
    ];
  }

  /** Text that only the end has: a whole answer that was not streamed, or the rest after the shown text. */
  #unshown(output: unknown): ProviderEvent[] {
    const text = fullText(output);
    if (this.#sawText) {
      const shown = this.#output.shownText();
      const goesOn = shown !== undefined && text.length > shown.length && text.startsWith(shown);
      return goesOn ? this.#show("text", text.slice(shown.length)) : [];
    }
    const thoughts = this.#sawReasoning ? [] : reasoningTexts(output);
    const reasoning = thoughts.flatMap((thought) => [
      ...this.#beginReasoning(),
      ...this.#show("reasoning", thought),
    ]);
    return [...reasoning, ...this.#show("text", text)];
  }
}

function usageOf(usage: unknown): Usage | undefined {
  if (!isObject(usage)) return undefined;
  const { input_tokens: inputTokens, output_tokens: outputTokens } = usage;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: false };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
