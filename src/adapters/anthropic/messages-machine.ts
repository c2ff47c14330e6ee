import { wantsCarried } from "../../ports/carried-reasoning.ts";
import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import type { FinishReason, ProviderEvent, ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { AnswerMachine, OpenText } from "../upstream/answer-machine.ts";
import { type DeltaKind, EventFormat } from "../upstream/event-format.ts";
import { notAStream, parseEvent, parseJson, type StreamEvent } from "../upstream/event-stream-parser.ts";
import { type AnswerSoFar, responseObject } from "../upstream/response-object.ts";
import { type AnswerBlock, AnswerBlocks, citationIn, kindOfDelta, stringIn } from "./answer-blocks.ts";
import { fromEventFault } from "./anthropic-errors.ts";
import { MessageUsage } from "./message-usage.ts";

const messagesFormat = new EventFormat(
  { text: ["delta.text"], reasoning: ["delta.thinking"] },
  /"(?:content_block|message|delta|error|usage)/,
);

/** The reasons of an end for another cause than that the answer is complete. A reason without a row is an ordinary end. */
const finishReasons: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["refusal", "content_filter"],
  // MiniMax, in this format.
  ["sensitive", "content_filter"],
]);

/**
 * Turns the events of the Messages API into provider events. An answer is whole once it has a stop reason; its end is told at
 * `message_stop`, or at the end of the body from a server that sends none. Unknown events and blocks are left out.
 */
export class MessagesMachine implements AnswerMachine {
  readonly format = messagesFormat;
  openText: OpenText | undefined;
  readonly #request: ProviderRequest;
  readonly #origin: string;
  readonly #blocks = new AnswerBlocks();
  readonly #usage = new MessageUsage();
  #state: "silent" | "open" | "started" | "finished" | "ended" = "silent";
  #id: string | undefined;
  #model: string;
  #stopReason = "";
  /** The vendor's explanation of a refusal. */
  #refusal = "";
  #thoughts = 0;

  /** `origin`: the account and model that answer. They alone can read their thinking. */
  constructor(request: ProviderRequest, origin: string) {
    this.#request = request;
    this.#origin = origin;
    this.#model = request.model;
  }

  get silent(): boolean {
    return this.#state === "silent";
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  accept({ name, data }: StreamEvent): ProviderEvent[] {
    this.openText = undefined;
    if (this.ended) return [];
    if (data.trim() === "[DONE]") return this.finish();
    const told = parseJson(data);
    if (name === "error" || isFailure(told)) throw fromEventFault(told ?? data);
    const event = isObject(told) ? told : parseEvent(data);
    if (this.silent) this.#state = "open";
    return this.#handle(typeof event.type === "string" ? event.type : name, event);
  }

  acceptWhole(body: string): ProviderEvent[] {
    const whole = parseJson(body);
    if (isFailure(Array.isArray(whole) ? whole[0] : whole)) throw fromEventFault(whole);
    if (!isObject(whole) || !Array.isArray(whole.content)) throw notAStream();
    const blocks = objectsIn(whole.content).flatMap((content_block, index) =>
      this.#startBlock({ index, content_block }),
    );
    const started = this.#start(whole);
    return [...started, ...blocks, ...this.#noteStop(whole), ...this.#end()];
  }

  finish(): ProviderEvent[] {
    if (this.ended) return [];
    if (this.silent) throw new TroupeError("upstream_empty");
    if (this.#state !== "finished") throw new TroupeError("upstream_truncated");
    return this.#end();
  }

  #handle(type: string, event: JsonObject): ProviderEvent[] {
    switch (type) {
      case "message_start":
        return this.#start(event.message);
      case "content_block_start":
        return [...this.#start(undefined), ...this.#startBlock(event)];
      case "content_block_delta":
        return [...this.#start(undefined), ...this.#extend(event)];
      case "content_block_stop":
        this.#blocks.stop(event.index);
        return [];
      case "message_delta":
        this.#usage.note(event.usage);
        return this.#noteStop(event.delta);
      case "message_stop":
        return this.#end();
      default:
        return [];
    }
  }

  /** Notes the head of the answer. Some gateways send it twice, or not at all. */
  #start(message: unknown): ProviderEvent[] {
    if (this.#state === "started" || this.#state === "finished") return [];
    this.#state = "started";
    if (isObject(message)) {
      if (typeof message.id === "string" && message.id !== "") this.#id = message.id;
      this.#noteModel(message.model);
      this.#usage.note(message.usage);
    }
    const { usage } = this.#usage;
    const response = this.#response("in_progress");
    return [{ type: "started", response, ...(usage === undefined ? {} : { usage }) }];
  }

  #noteModel(model: unknown): void {
    if (typeof model === "string" && model !== "") this.#model = model;
  }

  #startBlock({ index, content_block: given }: JsonObject): ProviderEvent[] {
    if (!isObject(given)) return [];
    // Another model goes on with the answer.
    if (given.type === "fallback" && isObject(given.to)) this.#noteModel(given.to.model);
    if (given.type === "thinking") this.#thoughts += 1;
    const gap = given.type === "thinking" && this.#thoughts > 1 ? this.#show("reasoning", "\n\n") : [];
    const { events, text } = this.#blocks.start(index, given);
    const kind = given.type === "thinking" ? "reasoning" : "text";
    const isShown = given.type === "thinking" || given.type === "text";
    return [...gap, ...events, ...(isShown ? this.#show(kind, text) : [])];
  }

  #extend({ index, delta }: JsonObject): ProviderEvent[] {
    if (!isObject(delta)) return [];
    const block = this.#blocks.at(index) ?? this.#unannounced(index, delta);
    const kind = kindOfDelta.get(delta.type);
    if (block === undefined) return [];
    if (kind === undefined) {
      this.#extendSilently(block, delta);
      return [];
    }
    const text = stringIn(kind === "text" ? delta.text : delta.thinking);
    const extend = (more: string): void => {
      const isHeld = this.#blocks.holds(more.length);
      if (isHeld && (block.type === "text" || block.type === "thinking")) block.text += more;
    };
    extend(text);
    if (text !== "") this.openText = { kind, isLoose: false, isShown: this.#isShown(kind), append: extend };
    return this.#show(kind, text);
  }

  /** A text whose start did not come. */
  #unannounced(index: unknown, { type }: JsonObject): AnswerBlock | undefined {
    if (type !== "text_delta" && type !== "thinking_delta") return undefined;
    this.#blocks.start(index, { type: type === "text_delta" ? "text" : "thinking" });
    return this.#blocks.at(index);
  }

  #extendSilently(block: AnswerBlock, { type, signature, partial_json, citation }: JsonObject): void {
    const [sign, args] = [stringIn(signature), stringIn(partial_json)];
    const isHeld = this.#blocks.holds(sign.length + args.length);
    if (!isHeld) return;
    if (type === "signature_delta" && block.type === "thinking") block.signature += sign;
    if (type === "input_json_delta" && (block.type === "call" || block.type === "tool"))
      block.arguments += args;
    if (type !== "citations_delta" || block.type !== "text") return;
    const source = citationIn(citation);
    if (source !== undefined) this.#blocks.cite(block, source);
  }

  #show(kind: DeltaKind, text: string): ProviderEvent[] {
    return text === "" || !this.#isShown(kind) ? [] : [{ type: kind, text }];
  }

  #isShown(kind: DeltaKind): boolean {
    return kind === "text" || this.#request.includeReasoning === true;
  }

  #noteStop(told: unknown): ProviderEvent[] {
    const { stop_reason: reason, stop_details: details } = isObject(told) ? told : {};
    if (typeof reason !== "string" || reason === "") return [];
    const started = this.#start(undefined);
    this.#stopReason = reason;
    this.#state = "finished";
    if (isObject(details)) this.#refusal = stringIn(details.explanation);
    return started;
  }

  #end(): ProviderEvent[] {
    const started = this.#start(undefined);
    this.#blocks.checkSize();
    const { calls, isEmpty } = this.#blocks;
    const finishReason = finishReasons.get(this.#stopReason) ?? (calls.length > 0 ? "tool_calls" : "stop");
    if (isEmpty && finishReason === "stop") throw new TroupeError("upstream_empty", { safeToRepeat: true });
    const cut = cutBy(finishReason);
    const status = cut === undefined ? "completed" : "incomplete";
    const events = this.#blocks.endEvents(status);
    const { usage } = this.#usage;
    // A call that was cut must not be run, and a signature that was cut would be refused.
    const items = cut === undefined ? this.#blocks.items(this.#origin) : undefined;
    this.#state = "ended";
    return [
      ...started,
      ...events,
      {
        type: "end",
        finishReason,
        model: this.#usage.model ?? this.#model,
        response: this.#response(status, cut),
        ...(usage === undefined ? {} : { usage }),
        ...(items === undefined ? {} : { items }),
      },
    ];
  }

  #response(status: AnswerSoFar["status"], reason?: AnswerSoFar["reason"]): JsonObject {
    const showsReasoning = this.#isShown("reasoning");
    const carriesFor = wantsCarried(this.#request.options ?? {}) ? this.#origin : undefined;
    return responseObject(this.#request, {
      status,
      id: this.#id,
      createdAt: undefined,
      model: this.#usage.model ?? this.#model,
      output:
        status === "in_progress"
          ? []
          : this.#blocks.output(status, { showsReasoning, refusal: this.#refusal, carriesFor }),
      ...(reason === undefined ? {} : { reason }),
      usage: this.#usage.usage,
    });
  }
}

function isFailure(told: unknown): boolean {
  return isObject(told) && (told.type === "error" || Boolean(told.error));
}

/** The reason why an answer is incomplete. */
function cutBy(reason: FinishReason): AnswerSoFar["reason"] {
  if (reason === "length") return "max_output_tokens";
  return reason === "content_filter" ? "content_filter" : undefined;
}
