import { isObject, type JsonObject, objectsIn } from "../../ports/json.ts";
import type { FinishReason, ProviderEvent, ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { AnswerMachine, OpenText } from "../upstream/answer-machine.ts";
import { EventFormat } from "../upstream/event-format.ts";
import { notAStream, parseEvent, parseJson, type StreamEvent } from "../upstream/event-stream-parser.ts";
import {
  type AnswerSoFar,
  callEvent,
  callItem,
  messageItem,
  reasoningItem,
  responseObject,
} from "../upstream/response-object.ts";
import { AnswerParts, maxHeldChars } from "./answer-parts.ts";
import {
  candidateIn,
  failedReasons,
  finishReasonOf,
  growingCounts,
  isBlocked,
  isFailure,
  isPlainText,
  partsIn,
  RunningUsage,
  reasonIn,
} from "./chunk.ts";
import { beginEvent } from "./gemini-calls.ts";
import { fromGeminiEvent } from "./gemini-errors.ts";
import { HostedTools } from "./hosted-tools.ts";
import { Sources } from "./sources.ts";

const text = ["candidates.0.content.parts.0.text"];
const geminiFormat = new EventFormat(
  { text, reasoning: text, ignored: growingCounts },
  /"candidates"|"promptFeedback"|"error"/,
);

/**
 * Turns the chunks of `streamGenerateContent` into provider events. No event marks the end: an answer is whole if its body ends after a
 * finish reason. More text may follow a finish reason, and so does the usage.
 */
export class ContentsMachine implements AnswerMachine {
  readonly format = geminiFormat;
  openText: OpenText | undefined;
  readonly #request: ProviderRequest;
  /** The account and model that answer: they alone can read their signatures. */
  readonly #origin: string;
  readonly #parts = new AnswerParts();
  readonly #hosted = new HostedTools();
  readonly #sources = new Sources();
  readonly #usage = new RunningUsage();
  #state: "silent" | "started" | "finished" | "ended" = "silent";
  #id: string | undefined;
  #createdAt: number | undefined;
  #model: string;
  #finish = "";

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
    // Gateways add it.
    if (data.trim() === "[DONE]") return this.finish();
    const told = parseJson(data);
    if (name === "error" || isFailure(told)) throw fromGeminiEvent(told ?? data);
    return this.#take(isObject(told) ? told : parseEvent(data));
  }

  /** Without `alt=sse` the body is a list of chunks; a gateway may also answer with one. */
  acceptWhole(body: string): ProviderEvent[] {
    const whole = parseJson(body);
    if (isFailure(whole)) throw fromGeminiEvent(whole);
    const chunks = objectsIn(Array.isArray(whole) ? whole : [whole]);
    if (chunks.length === 0 || chunks.every((chunk) => candidateIn(chunk) === undefined && !isBlocked(chunk)))
      throw notAStream();
    const events = chunks.flatMap((chunk) => this.#take(chunk));
    this.openText = undefined;
    if (!Array.isArray(whole) && this.#state === "started") this.#noteFinish("STOP");
    return [...events, ...this.finish()];
  }

  finish(): ProviderEvent[] {
    if (this.ended) return [];
    if (this.silent) throw new TroupeError("upstream_empty");
    if (this.#state !== "finished") throw new TroupeError("upstream_truncated");
    const last = this.#end();
    this.#state = "ended";
    return last;
  }

  #take(chunk: JsonObject): ProviderEvent[] {
    this.#usage.note(chunk);
    const started = this.#start(chunk);
    if (typeof chunk.modelVersion === "string" && chunk.modelVersion !== "") this.#model = chunk.modelVersion;
    if (isBlocked(chunk)) this.#noteFinish("SAFETY");
    const candidate = candidateIn(chunk);
    if (candidate === undefined) return started;
    const parts = partsIn(candidate);
    const events = parts.flatMap((part) => this.#takePart(part));
    this.#sources.note(candidate);
    this.#checkSize();
    const reason = reasonIn(candidate);
    const { groundingMetadata, citationMetadata } = candidate;
    if (reason !== undefined) this.#noteFinish(reason);
    else if (groundingMetadata === undefined && citationMetadata === undefined) this.#open(chunk, parts);
    return [...started, ...events];
  }

  #start({ responseId, createTime }: JsonObject): ProviderEvent[] {
    if (!this.silent) return [];
    this.#state = "started";
    if (typeof responseId === "string" && responseId !== "") this.#id = responseId;
    const createdAt = typeof createTime === "string" ? Date.parse(createTime) / 1_000 : Number.NaN;
    if (Number.isFinite(createdAt)) this.#createdAt = Math.floor(createdAt);
    const { usage } = this.#usage;
    const response = this.#response("in_progress");
    return [{ type: "started", response, ...(usage === undefined ? {} : { usage }) }];
  }

  #takePart(part: JsonObject): ProviderEvent[] {
    const { text: said, thought, functionCall, thoughtSignature } = part;
    const signature =
      typeof thoughtSignature === "string" && thoughtSignature !== "" ? thoughtSignature : undefined;
    if (isObject(functionCall)) {
      const call = this.#parts.addCall(functionCall, this.#id ?? "", signature);
      return call === undefined ? [] : [beginEvent(call)];
    }
    if (typeof said !== "string") return this.#hosted.accept(part);
    const kind = thought === true ? "reasoning" : "text";
    const isShown = this.#add(kind, said, signature);
    return isShown && said !== "" ? [{ type: kind, text: said }] : [];
  }

  /** Holds a text. Returns whether it is shown. */
  #add(kind: "text" | "reasoning", said: string, signature?: string): boolean {
    if (kind === "text") this.#parts.addText(said, signature);
    else this.#parts.addReasoning(said, signature);
    return this.#isShown(kind);
  }

  #isShown(kind: "text" | "reasoning"): boolean {
    return kind === "text" || this.#request.includeReasoning === true;
  }

  /** Lets the events after this one be read without being parsed, if this one only extends one text. */
  #open({ candidates }: JsonObject, parts: readonly JsonObject[]): void {
    const [only] = parts;
    if (only === undefined || parts.length > 1 || !isPlainText(only) || only.text === "") return;
    if (!Array.isArray(candidates) || candidates.length > 1) return;
    const kind = only.thought === true ? "reasoning" : "text";
    const append = (more: string): void => {
      this.#usage.forgetOutput();
      this.#add(kind, more);
    };
    this.openText = { kind, isLoose: false, isShown: this.#isShown(kind), append };
  }

  #checkSize(): void {
    if (this.#parts.chars + this.#hosted.chars > maxHeldChars) throw new TroupeError("answer_too_large");
  }

  #noteFinish(reason: string): void {
    if (failedReasons.has(reason))
      throw fromGeminiEvent({ error: { status: "INTERNAL", message: `It finished with ${reason}.` } });
    this.#finish = reason;
    this.#state = "finished";
  }

  #end(): ProviderEvent[] {
    this.#checkSize();
    const { text: said, reasoning, hasCalls } = this.#parts;
    const finishReason = finishReasonOf(this.#finish, hasCalls);
    const isEmpty = said === "" && reasoning === "" && !hasCalls && this.#hosted.items.length === 0;
    // Gemini answers so now and then, to any prompt.
    if (isEmpty && finishReason === "stop") throw new TroupeError("upstream_empty", { safeToRepeat: true });
    const cut = cutBy(finishReason);
    const status = cut === undefined ? "completed" : "incomplete";
    const sources = this.#sources.items();
    const searches = this.#hosted.search(
      this.#sources.searches,
      sources.map(({ url }) => url),
    );
    const { usage } = this.#usage;
    const items = [...this.#parts.items(this.#origin), ...sources];
    const hasMore = items.some((item) => item.type !== "message" || item.providerState !== undefined);
    return [
      ...searches,
      ...this.#parts.calls().map((call) => callEvent(call, status)),
      {
        type: "end",
        finishReason,
        model: this.#model,
        response: this.#response(status, cut),
        ...(usage === undefined ? {} : { usage }),
        // A call that was cut must not be run.
        ...(hasMore && !(hasCalls && cut !== undefined) ? { items } : {}),
      },
    ];
  }

  #response(status: AnswerSoFar["status"], reason?: AnswerSoFar["reason"]): JsonObject {
    return responseObject(this.#request, {
      status,
      id: this.#id,
      createdAt: this.#createdAt,
      model: this.#model,
      output: status === "in_progress" ? [] : this.#output(status),
      ...(reason === undefined ? {} : { reason }),
      usage: this.#usage.usage,
    });
  }

  #output(status: string): JsonObject[] {
    const { text: said, reasoning, hasCalls } = this.#parts;
    const isShown = reasoning !== "" && this.#request.includeReasoning === true;
    const isSilent = said === "" && hasCalls;
    return [
      ...(isShown ? [reasoningItem(reasoning)] : []),
      ...this.#hosted.items,
      ...(isSilent ? [] : [messageItem(status, said, "", this.#sources.annotations(said))]),
      ...this.#parts.calls().map((call) => callItem(call, status)),
    ];
  }
}

/** The reason why an answer is incomplete. */
function cutBy(reason: FinishReason): AnswerSoFar["reason"] {
  if (reason === "length") return "max_output_tokens";
  return reason === "content_filter" ? "content_filter" : undefined;
}
