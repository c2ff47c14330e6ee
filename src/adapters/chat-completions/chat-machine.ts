import { carryReasoning, wantsCarried } from "../../ports/carried-reasoning.ts";
import { type Item, type ReasoningItem, textMessage } from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { FinishReason, ProviderEvent, ProviderRequest, Usage } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { openaiNames } from "../openai/openai-errors.ts";
import type { AnswerMachine, OpenText } from "../upstream/answer-machine.ts";
import { type DeltaKind, EventFormat } from "../upstream/event-format.ts";
import { notAStream, parseEvent, parseJson, type StreamEvent } from "../upstream/event-stream-parser.ts";
import {
  type AnswerSoFar,
  callEvent,
  callItem,
  messageItem,
  reasoningItem,
  responseObject,
} from "../upstream/response-object.ts";
import { fromStreamError } from "../upstream/stream-error.ts";
import { ChatCalls, type SignedCall } from "./chat-calls.ts";
import { chatName } from "./chat-messages.ts";
import { ChatSources } from "./chat-sources.ts";
import {
  choiceIn,
  type DeltaText,
  failedReasons,
  failureIn,
  finishReasonOf,
  isFailure,
  textsIn,
  usageIn,
} from "./chunk.ts";
import type { ChatDialect } from "./dialects.ts";

/** Max characters of an answer that are held for its items and its response object. */
const maxHeldChars = 16 * 1024 * 1024;

const delta = "choices.0.delta";
const chatFormat = new EventFormat(
  {
    text: [`${delta}.content`],
    reasoning: [`${delta}.reasoning_content`, `${delta}.reasoning`],
    // Ollama gives each chunk its own time.
    ignored: ["obfuscation", "created"],
  },
  /"choices"|"error"/,
);

/**
 * Turns the chunks of Chat Completions into provider events. An answer is whole once it has a finish reason. Its usage may follow, so the
 * end is told at `[DONE]` or at the end of the body, whichever the server sends.
 */
export class ChatMachine implements AnswerMachine {
  readonly format = chatFormat;
  openText: OpenText | undefined;
  readonly #request: ProviderRequest;
  readonly #dialect: Pick<ChatDialect, "tellsCost" | "wantsReasoning">;
  readonly #origin: string;
  readonly #calls = new ChatCalls();
  readonly #sources = new ChatSources();
  #state: "silent" | "open" | "started" | "finished" | "ended" = "silent";
  #id: string | undefined;
  #createdAt: number | undefined;
  #model: string;
  #text = "";
  #refusal = "";
  #reasoning = "";
  #heldChars = 0;
  #finish = "";
  #usage: Usage | undefined;

  /** `origin`: the account and model. Only they get the reasoning and the signatures of their calls back. */
  constructor(
    request: ProviderRequest,
    dialect: Pick<ChatDialect, "tellsCost" | "wantsReasoning">,
    origin: string,
  ) {
    this.#request = request;
    this.#dialect = dialect;
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
    if (name === "error" || isFailure(told)) throw failed(failureIn(told ?? data));
    const chunk = isObject(told) ? told : parseEvent(data);
    if (this.silent) this.#state = "open";
    return this.#take(chunk);
  }

  acceptWhole(body: string): ProviderEvent[] {
    const whole = parseJson(body);
    if (isFailure(whole)) throw failed(failureIn(whole));
    const choice = isObject(whole) ? choiceIn(whole) : undefined;
    if (!isObject(whole) || choice === undefined || !isObject(choice.message)) throw notAStream();
    const { message, finish_reason: reason, ...rest } = choice;
    const finish_reason = typeof reason === "string" && reason !== "" ? reason : "stop";
    const events = this.#take({ ...whole, choices: [{ ...rest, delta: message, finish_reason }] });
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
    const usage = usageIn(chunk, this.#dialect.tellsCost);
    this.#usage = usage ?? this.#usage;
    if (typeof chunk.model === "string" && chunk.model !== "") this.#model = chunk.model;
    const choice = choiceIn(chunk);
    if (choice === undefined) return [];
    const started = this.#start(chunk);
    const change = isObject(choice.delta) ? choice.delta : {};
    this.#sources.note(chunk, change);
    const texts = textsIn(change);
    const shown = texts.flatMap((text) => this.#show(text));
    const calls = this.#calls.accept(change.tool_calls ?? legacyCall(change));
    if (this.#calls.chars > maxHeldChars) throw new TroupeError("answer_too_large");
    const { finish_reason: reason } = choice;
    if (typeof reason === "string" && reason !== "") this.#noteFinish(reason);
    else if (usage === undefined && change.tool_calls == null) this.#open(chunk, texts);
    return [...started, ...shown, ...calls];
  }

  #start({ id, created }: JsonObject): ProviderEvent[] {
    if (this.#state === "started" || this.#state === "finished") return [];
    this.#state = "started";
    if (typeof id === "string" && id !== "") this.#id = id;
    if (Number.isSafeInteger(created)) this.#createdAt = Number(created);
    const usage = this.#usage;
    const response = this.#response("in_progress");
    return [{ type: "started", response, ...(usage === undefined ? {} : { usage }) }];
  }

  /** Lets the events after this one be read without being parsed, if this one only extends one text. */
  #open({ choices }: JsonObject, texts: readonly DeltaText[]): void {
    const [only] = texts;
    if (only?.isPlain !== true || texts.length > 1 || !Array.isArray(choices) || choices.length > 1) return;
    const { kind } = only;
    const isShown = this.#isShown(kind);
    this.openText = { kind, isLoose: false, isShown, append: (text) => void this.#hold(kind, text) };
  }

  #show({ kind, text, isRefusal = false }: DeltaText): ProviderEvent[] {
    if (!isRefusal) return this.#hold(kind, text) ? [{ type: kind, text }] : [];
    this.#heldChars += text.length;
    if (this.#heldChars <= maxHeldChars) this.#refusal += text;
    return [{ type: "text", text }];
  }

  /** Holds a text. Returns whether it is shown. */
  #hold(kind: DeltaKind, text: string): boolean {
    this.#heldChars += text.length;
    const hasRoom = this.#heldChars <= maxHeldChars;
    if (hasRoom && kind === "text") this.#text += text;
    if (hasRoom && kind === "reasoning") this.#reasoning += text;
    return this.#isShown(kind);
  }

  #isShown(kind: DeltaKind): boolean {
    return kind === "text" || this.#request.includeReasoning === true;
  }

  #noteFinish(reason: string): void {
    if (failedReasons.has(reason))
      throw failed({ code: "server_error", message: `It finished with ${reason}.` });
    this.#finish = reason;
    this.#state = "finished";
  }

  #end(): ProviderEvent[] {
    if (this.#heldChars + this.#calls.chars > maxHeldChars) throw new TroupeError("answer_too_large");
    const finishReason = finishReasonOf(this.#finish, !this.#calls.isEmpty, this.#refusal !== "");
    const isEmpty = this.#text === "" && this.#reasoning === "" && this.#calls.isEmpty;
    // LM Studio answers a prompt that is too long with nothing; Gemini's endpoint does so now and then to any prompt.
    if (isEmpty && finishReason === "stop") throw new TroupeError("upstream_empty", { safeToRepeat: true });
    const cut = cutBy(finishReason, this.#refusal !== "");
    const status = cut === undefined ? "completed" : "incomplete";
    const calls = this.#calls.whole();
    const sources = this.#sources.items();
    return [
      ...calls.map((call) => callEvent(call, status)),
      {
        type: "end",
        finishReason,
        model: this.#model,
        response: this.#response(status, cut),
        ...(this.#usage === undefined ? {} : { usage: this.#usage }),
        // A call that was cut must not be run.
        ...(calls.length + sources.length === 0 || (cut !== undefined && calls.length > 0)
          ? {}
          : { items: [...this.#items(calls), ...sources] }),
      },
    ];
  }

  /** The reasoning that led to calls, if the server wants it back. */
  #keptReasoning(): ReasoningItem[] {
    if (!this.#dialect.wantsReasoning || this.#reasoning === "" || this.#calls.isEmpty) return [];
    const state = { origin: this.#origin, reasoning_content: this.#reasoning };
    return [{ type: "reasoning", text: this.#reasoning, providerState: { provider: chatName, state } }];
  }

  #items(calls: readonly SignedCall[]): Item[] {
    const said = this.#text === "" ? [] : [textMessage("assistant", this.#text)];
    return [...this.#keptReasoning(), ...said, ...calls.map((call) => this.#callItem(call))];
  }

  #callItem({ signature, ...call }: SignedCall): Item {
    if (signature === undefined) return { type: "tool-call", ...call };
    const state = { origin: this.#origin, thought_signature: signature };
    return { type: "tool-call", ...call, providerState: { provider: chatName, state } };
  }

  #response(status: AnswerSoFar["status"], reason?: AnswerSoFar["reason"]): JsonObject {
    return responseObject(this.#request, {
      status,
      id: this.#id,
      createdAt: this.#createdAt,
      model: this.#model,
      output: status === "in_progress" ? [] : this.#output(status),
      ...(reason === undefined ? {} : { reason }),
      usage: this.#usage,
    });
  }

  #output(status: string): JsonObject[] {
    const [text, refusal] = [this.#text, this.#refusal];
    const isShown = this.#reasoning !== "" && this.#request.includeReasoning === true;
    const [kept] = wantsCarried(this.#request.options ?? {}) ? this.#keptReasoning() : [];
    const carried = kept === undefined ? undefined : carryReasoning(kept);
    const isSilent = text === "" && refusal === "" && !this.#calls.isEmpty;
    return [
      ...(isShown || carried !== undefined ? [reasoningItem(isShown ? this.#reasoning : "", carried)] : []),
      ...(isSilent ? [] : [messageItem(status, text, refusal, this.#sources.annotations(text))]),
      ...this.#calls.whole().map((call) => callItem(call, status)),
    ];
  }
}

/** The reason why an answer is incomplete. A model's own refusal is a whole answer. */
function cutBy(reason: FinishReason, hasRefusal: boolean): AnswerSoFar["reason"] {
  if (reason === "length") return "max_output_tokens";
  return reason === "content_filter" && !hasRefusal ? "content_filter" : undefined;
}

/** A call in the form from before there were several at once. */
function legacyCall({ function_call: call }: JsonObject): unknown {
  return isObject(call) ? [{ index: 0, function: call }] : undefined;
}

function failed(told: unknown): TroupeError {
  return fromStreamError(told, openaiNames);
}
