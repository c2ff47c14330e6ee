import { z } from "zod";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderEvent, Usage } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { type AnswerMachine, type OpenText, toldUsage } from "../upstream/answer-machine.ts";
import { type DeltaKind, EventFormat } from "../upstream/event-format.ts";
import { notAStream, parseEvent, parseJson, type StreamEvent } from "../upstream/event-stream-parser.ts";
import { fromStreamError } from "../upstream/stream-error.ts";
import { fullText, itemsOfOutput, mergedOutput, reasoningTexts } from "./merged-output.ts";
import { openaiNames } from "./openai-errors.ts";
import {
  endStatus,
  finishReasonOf,
  growthOfEvent,
  isFailure,
  isWhole,
  type StreamedPart,
} from "./streamed-events.ts";
import { type LateText, StreamedOutput, ToolEvents } from "./streamed-output.ts";

/** Max characters of an answer that are held to complete a poor final object; as many as that object itself may have. */
const maxHeldChars = 16 * 1024 * 1024;

type State = "silent" | "open" | "ended";

const responsesFormat = new EventFormat(
  { text: ["delta"], reasoning: ["delta"], ignored: ["sequence_number", "obfuscation"] },
  /"response\.|"error"/,
);

/** The position at which a background response was left, with the machine's state at that position. */
export const responsePlace = z.object({
  responseId: z.string(),
  /** `sequence_number` of the last accepted event. */
  sequenceNumber: z.int(),
  sawText: z.boolean(),
  reasoningParts: z.int(),
});
export type ResponsePlace = z.output<typeof responsePlace>;

interface ResponsesMachineOptions {
  readonly includeReasoning: boolean;
  /** The account and model that answer: they alone can read their reasoning. Default: none, so reasoning cannot go back. */
  readonly origin?: string;
  /** The vendor numbers the events and can send them again; events that were accepted before are skipped. Default false. */
  readonly numbered?: boolean;
  /** The place to continue from. */
  readonly place?: ResponsePlace | undefined;
  /** Reads a reported failure before the machine does. `undefined` leaves it to the machine. */
  readonly readFailure?: ((told: unknown) => TroupeError | undefined) | undefined;
}

/**
 * Turns the events of a Responses API stream into provider events. A response ends with exactly one terminal event, or comes whole
 * instead of a stream. Later events are ignored. A stream that ends without a terminal event is an error, which the stock SDK does not
 * report. Each text is shown once, no matter which event brings it; the final response object includes everything that was streamed.
 * Event names and shapes: `ResponseStreamEvent` of the openai package.
 */
export class ResponsesMachine implements AnswerMachine {
  readonly format = responsesFormat;
  readonly #includeReasoning: boolean;
  readonly #origin: string | undefined;
  readonly #numbered: boolean;
  #state: State;
  #sawText: boolean;
  #sawReasoning: boolean;
  #reasoningParts: number;
  #responseId: string | undefined;
  #sequenceNumber: number | undefined;
  readonly #isNewCall: boolean;
  readonly #readFailure: (told: unknown) => TroupeError | undefined;
  readonly #tools = new ToolEvents();
  readonly #output: StreamedOutput;
  #openText: OpenText | undefined;

  constructor({ includeReasoning, origin, numbered = false, place, readFailure }: ResponsesMachineOptions) {
    this.#includeReasoning = includeReasoning;
    this.#origin = origin;
    this.#numbered = numbered;
    this.#state = place === undefined ? "silent" : "open";
    this.#sawText = place?.sawText ?? false;
    this.#sawReasoning = place !== undefined;
    this.#reasoningParts = place?.reasoningParts ?? 0;
    this.#responseId = place?.responseId;
    this.#sequenceNumber = place?.sequenceNumber;
    this.#isNewCall = place === undefined;
    this.#readFailure = readFailure ?? (() => undefined);
    this.#output = new StreamedOutput({ maxChars: maxHeldChars, isFromStart: this.#isNewCall });
  }

  get openText(): OpenText | undefined {
    return this.#openText;
  }

  /** No event was accepted yet. */
  get silent(): boolean {
    return this.#state === "silent";
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /** The vendor's id of the response, once it is known. */
  get responseId(): string | undefined {
    return this.#responseId;
  }

  /** The place from which the answer can be continued; `undefined` if it cannot be continued yet. */
  get place(): ResponsePlace | undefined {
    const [responseId, sequenceNumber] = [this.#responseId, this.#sequenceNumber];
    if (!this.#numbered || responseId === undefined || sequenceNumber === undefined) return undefined;
    return { responseId, sequenceNumber, sawText: this.#sawText, reasoningParts: this.#reasoningParts };
  }

  /** Throws `upstream_empty` or `upstream_truncated` unless the terminal event has come. */
  finish(): ProviderEvent[] {
    if (this.#state === "silent") throw new TroupeError("upstream_empty");
    if (this.#state === "open") throw new TroupeError("upstream_truncated");
    return [];
  }

  /** Accepts one event. Throws the error that the vendor reports, or `upstream_invalid` if the data is not an event. */
  accept({ name, data }: StreamEvent): ProviderEvent[] {
    this.#openText = undefined;
    if (this.#state === "ended") return [];
    // No event follows it, even if the connection stays open.
    if (data.trim() === "[DONE]") return this.finish();
    if (name === "error") throw this.#failed(parseJson(data) ?? data);
    const event = parseEvent(data);
    this.#state = "open";
    if (this.#numbered && this.#isKnown(event.sequence_number)) return [];
    const type = typeof event.type === "string" ? event.type : name;
    if (isFailure(type, event)) throw this.#failed(event);
    return this.#handle(type, event);
  }

  /** Accepts a body that is not a stream: the whole response, or an error. Throws `upstream_invalid` for any other body. */
  acceptWhole(body: string): ProviderEvent[] {
    const whole = parseJson(body);
    if (isFailure("", Array.isArray(whole) ? whole[0] : whole)) throw this.#failed(whole);
    if (!isWhole(whole)) throw notAStream();
    return this.#end("response.completed", whole);
  }

  /** Whether an event with this number was accepted before; records the number if it is new. */
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
      // A numbered event must be parsed, because its number is a part of the place.
      if (!this.#numbered) this.#openText = this.#openAt(grown.growth.kind, part);
      return this.#show(grown.growth.kind, delta);
    }
    const gap = type === "response.reasoning_summary_part.added" ? this.#beginReasoning() : [];
    const late = this.#output.accept(type, event).flatMap((text) => this.#showLate(text));
    return [...gap, ...late, ...this.#tell(type, event)];
  }

  #openAt(kind: DeltaKind, part: StreamedPart | undefined): OpenText {
    return {
      kind,
      isLoose: part?.item.isLoose === true,
      isShown: this.#notes(kind),
      append: (text) => {
        if (part !== undefined) this.#output.append(part, text);
      },
    };
  }

  /** Handles the rest of an event, apart from texts of the answer. */
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
    return this.#readFailure(told) ?? fromStreamError(told, openaiNames, { isNewCall: this.#isNewCall });
  }

  #start(response: unknown): ProviderEvent[] {
    if (!isObject(response)) return [{ type: "started" }];
    if (typeof response.id === "string") this.#responseId = response.id;
    return [{ type: "started", response }];
  }

  #show(kind: DeltaKind, text: string): ProviderEvent[] {
    return text !== "" && this.#notes(kind) ? [{ type: kind, text }] : [];
  }

  /** Notes that a text of this kind has come. Returns whether it is shown. */
  #notes(kind: DeltaKind): boolean {
    if (kind === "text") this.#sawText = true;
    else this.#sawReasoning = true;
    return kind === "text" || this.#includeReasoning;
  }

  #showLate({ kind, text, isUnannounced }: LateText): ProviderEvent[] {
    const gap = kind === "reasoning" && isUnannounced ? this.#beginReasoning() : [];
    return [...gap, ...this.#show(kind, text)];
  }

  /** Adds a gap before every part of the reasoning except the first. */
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
    const items = itemsOfOutput(output, this.#origin);
    return [
      ...this.#unshown(output),
      {
        type: "end",
        finishReason: finishReasonOf(whole, status),
        model: typeof response.model === "string" ? response.model : "unknown",
        response: whole,
        ...(usage === undefined ? {} : { usage }),
        ...(items === undefined ? {} : { items }),
      },
    ];
  }

  /** Text that only the final object has: a whole answer that was not streamed, or the rest after the shown text. */
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
  const read = isObject(usage.input_tokens_details) ? usage.input_tokens_details : {};
  const written = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {};
  return toldUsage({
    input: usage.input_tokens,
    cached: read.cached_tokens,
    cacheWrite: read.cache_write_tokens,
    output: usage.output_tokens,
    reasoning: written.reasoning_tokens,
  });
}
