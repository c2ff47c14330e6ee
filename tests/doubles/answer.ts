import type { ResponseOutputItem } from "openai/resources/responses/responses";
import { eventTexts } from "./event-text.ts";
import {
  functionCallItem,
  messageItem,
  reasoningItem,
  refusalItem,
  type StreamedItem,
  type StreamedMessage,
  webSearchItem,
} from "./output-items.ts";
import {
  type AnswerEnding,
  type ResponseOptions,
  responseInProgress,
  terminalEvent,
  usageOf,
  type WireEvent,
  type WireResponse,
} from "./response-object.ts";

export interface AnswerOptions extends ResponseOptions {
  /** The answer, cut after each white space. Without `text`, `deltas`, `refusal` and `tool` it is a short greeting. */
  readonly text?: string;
  /** The answer in the pieces in which it is streamed. Takes precedence over `text`. */
  readonly deltas?: readonly string[];
  /** A refusal in pieces, instead of text. */
  readonly refusal?: readonly string[];
  /** The text in the closing events and the final object, if it differs from the deltas. */
  readonly finalText?: string;
  /** A reasoning summary in pieces, before everything else. */
  readonly reasoning?: readonly string[];
  /** A tool call before the text. A function call without a text gives an answer without a message. */
  readonly tool?:
    | { readonly type: "web_search"; readonly query: string }
    | { readonly type: "function"; readonly name: string; readonly argumentDeltas: readonly string[] };
  /** Default: 10 tokens in, one out for each delta. */
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number };
  /** Default: completed. */
  readonly ending?: AnswerEnding;
  /** Value of the padding field of each text delta. Left out: no such field. */
  readonly obfuscation?: string;
}

/** An answer in parts, between which a fault can be inserted. */
export interface AnswerParts {
  /** Everything before the first delta, including tools and reasoning. */
  readonly prologue: readonly WireEvent[];
  readonly deltas: readonly WireEvent[];
  /** From the end of the text to the event before the terminal one. */
  readonly epilogue: readonly WireEvent[];
  readonly terminal: WireEvent;
  /** The response object as it was at the start. */
  readonly started: WireResponse;
}

/** Composes an answer in the order in which the API streams it. */
export function answerParts(options: AnswerOptions = {}): AnswerParts {
  const started = responseInProgress(options);
  const ending = options.ending ?? { status: "completed" };
  const before = itemsBeforeMessage(options);
  const pieces = textPieces(options);
  const message = messageOf(options, pieces, before.length);
  const output: ResponseOutputItem[] = before.map(({ item }) => item);
  if (message !== undefined) output.push(message.item);
  const tokens = options.usage ?? { inputTokens: 10, outputTokens: pieces.length };
  const usage = usageOf(tokens.inputTokens, tokens.outputTokens);
  return {
    started,
    prologue: [
      { type: "response.created", response: started },
      { type: "response.in_progress", response: started },
      ...before.flatMap(({ events }) => events),
      ...(message?.opening ?? []),
    ],
    deltas: message?.deltas ?? [],
    epilogue: message?.closing ?? [],
    terminal: terminalEvent(started, ending, output, usage),
  };
}

/** All events of an answer in order, without numbers. */
export function eventsOf({ prologue, deltas, epilogue, terminal }: AnswerParts): WireEvent[] {
  return [...prologue, ...deltas, ...epilogue, terminal];
}

/** An answer as event texts, numbered from 0, ready to be written one by one. */
export function answer(options: AnswerOptions = {}): string[] {
  return eventTexts(eventsOf(answerParts(options)));
}

function textPieces({ deltas, refusal, text, tool }: AnswerOptions): readonly string[] {
  if (refusal !== undefined) return refusal;
  if (deltas !== undefined) return deltas;
  if (text === undefined && tool?.type === "function") return [];
  return (text ?? "Hello, how can I help?").split(/(?<=\s)(?=\S)/);
}

function itemsBeforeMessage({ reasoning, tool }: AnswerOptions): StreamedItem[] {
  const items: StreamedItem[] = [];
  if (reasoning !== undefined) items.push(reasoningItem("rs_double", reasoning, items.length));
  if (tool?.type === "web_search") items.push(webSearchItem("ws_double", tool.query, items.length));
  if (tool?.type === "function") {
    items.push(functionCallItem("fc_double", tool.name, tool.argumentDeltas, items.length));
  }
  return items;
}

function messageOf(
  options: AnswerOptions,
  pieces: readonly string[],
  index: number,
): StreamedMessage | undefined {
  if (options.refusal !== undefined) return refusalItem("msg_double", pieces, index);
  if (pieces.length === 0 && options.finalText === undefined) return undefined;
  return messageItem("msg_double", pieces, index, {
    finalText: options.finalText ?? pieces.join(""),
    status: options.ending?.status === "incomplete" ? "incomplete" : "completed",
    obfuscation: options.obfuscation,
  });
}
