import { carryReasoning } from "../../ports/carried-reasoning.ts";
import { type Item, itemLimits, type SourceItem, sourceItem, textMessage } from "../../ports/item.ts";
import { isObject, type JsonObject, jsonChars } from "../../ports/json.ts";
import type { ProviderEvent } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { DeltaKind } from "../upstream/event-format.ts";
import {
  callEvent,
  callItem,
  type FunctionCall,
  messageItem,
  reasoningItem,
} from "../upstream/response-object.ts";
import { anthropicName, thinkingState } from "./messages-input.ts";
import { ServerTool } from "./server-tool.ts";

/** Max characters of an answer that are held for its items and its response object. */
const maxHeldChars = 16 * 1024 * 1024;
/** Counted for a block or a citation beside its texts. A vendor may send any number of them. */
const blockChars = 256;

/** A content block of an answer, as far as it was streamed. Results of the vendor's own tools end those tools. */
export type AnswerBlock =
  | { readonly type: "text"; text: string; readonly citations: SourceItem[] }
  | { readonly type: "thinking"; text: string; signature: string }
  | { readonly type: "redacted"; readonly data: string }
  | { readonly type: "call"; readonly callId: string; readonly name: string; arguments: string }
  | ServerTool
  | { readonly type: "other" };

/** The content blocks of one answer. */
export class AnswerBlocks {
  readonly #blocks: AnswerBlock[] = [];
  /** The blocks that may still grow, by their index at the vendor. */
  readonly #open = new Map<number | undefined, AnswerBlock>();
  /** The vendor's own tools, by their ids. */
  readonly #tools = new Map<string, ServerTool>();
  #heldChars = 0;

  get calls(): FunctionCall[] {
    return this.#blocks.flatMap((block) => (block.type === "call" ? [callOf(block)] : []));
  }

  /** There is neither text, nor thinking, nor a call. */
  get isEmpty(): boolean {
    return this.#blocks.every((block) =>
      block.type === "text" ? block.text === "" : block.type === "other",
    );
  }

  /** Throws `answer_too_large` if not everything could be held. */
  checkSize(): void {
    if (this.#heldChars > maxHeldChars) throw new TroupeError("answer_too_large");
  }

  /** Starts a block. Returns its events, and its text if it begins with one. */
  start(index: unknown, given: JsonObject): { readonly events: ProviderEvent[]; readonly text: string } {
    const ended = this.#endTool(given);
    const block = blockOf(given);
    const text = block.type === "text" || block.type === "thinking" ? block.text : "";
    const chars = blockChars + (block.type === "other" ? 0 : jsonChars(given));
    // The answer then ends as too large.
    if (!this.holds(chars)) return { events: ended, text };
    this.#blocks.push(block);
    this.#open.set(keyOf(index), block);
    if (block instanceof ServerTool) this.#tools.set(block.id, block);
    if (block.type === "call") {
      if (block.name === "" || block.callId === "") throw unnamedCall();
      return { events: [callEvent({ ...callOf(block), arguments: "" }, "in_progress")], text };
    }
    return { events: [...ended, ...(block instanceof ServerTool ? [block.event()] : [])], text };
  }

  at(index: unknown): AnswerBlock | undefined {
    return this.#open.get(keyOf(index));
  }

  stop(index: unknown): void {
    this.#open.delete(keyOf(index));
  }

  /** Counts characters. Returns whether they may be held. */
  holds(chars: number): boolean {
    this.#heldChars += chars;
    return this.#heldChars <= maxHeldChars;
  }

  cite({ citations }: AnswerBlock & { readonly type: "text" }, source: SourceItem): void {
    if (this.holds(blockChars + jsonChars(source))) citations.push(source);
  }

  /** The events that tell how each call ended. The vendor's own tools without a result end with the answer. */
  endEvents(status: string): ProviderEvent[] {
    return this.#blocks.flatMap((block) => {
      if (block.type === "call") return [callEvent(callOf(block), status)];
      return block instanceof ServerTool && block.isOpen ? [block.end("incomplete")] : [];
    });
  }

  /** The answer as items; `undefined` if it is only text. `origin`: the account and model that answer. */
  items(origin: string): Item[] | undefined {
    const items = this.#joined().flatMap((block) => toItems(block, origin));
    const citations = this.#blocks.flatMap((block) => (block.type === "text" ? block.citations : []));
    const sources = new Map(citations.map((source) => [source.url, source]));
    const all = [...items, ...[...sources.values()].slice(0, itemLimits.sources)];
    return all.some(({ type }) => type !== "message") ? all : undefined;
  }

  /** The answer as the `output` of the Responses API. */
  output(status: string, { showsReasoning, refusal, carriesFor }: OutputOptions): JsonObject[] {
    const output = this.#joined().flatMap((block): JsonObject[] => {
      if (block.type === "text") return [messageItem(status, block.text, "", block.annotations)];
      if (block.type === "thinking" || block.type === "redacted") {
        const shown = showsReasoning && block.type === "thinking" ? block.text : "";
        const carried = carriesFor === undefined ? undefined : carriedIn(block, carriesFor);
        return shown === "" && carried === undefined ? [] : [reasoningItem(shown, carried)];
      }
      if (block.type === "call") return [callItem(callOf(block), status)];
      return block instanceof ServerTool ? [block.item()] : [];
    });
    const hasMessage = output.some(({ type }) => type === "message" || type === "function_call");
    return hasMessage && refusal === "" ? output : [...output, messageItem(status, "", refusal)];
  }

  /** The blocks, with neighbouring texts as one. */
  #joined(): JoinedBlock[] {
    const joined: JoinedBlock[] = [];
    for (const block of this.#blocks) {
      const last = joined.at(-1);
      if (block.type !== "text") joined.push(block);
      else if (last?.type === "text") join(last, block);
      else joined.push(join({ type: "text", text: "", annotations: [] }, block));
    }
    return joined;
  }

  #endTool({ tool_use_id: id, ...result }: JsonObject): ProviderEvent[] {
    if (typeof id !== "string") return [];
    const tool = this.#tools.get(id);
    return tool === undefined ? [] : [tool.endWith(result)];
  }
}

interface OutputOptions {
  readonly showsReasoning: boolean;
  readonly refusal: string;
  /** The client keeps the history, so reasoning carries its signature for this account and model. */
  readonly carriesFor: string | undefined;
}

function carriedIn(block: JoinedBlock, origin: string): string | undefined {
  const [item] = toItems(block, origin);
  return item?.type === "reasoning" ? carryReasoning(item) : undefined;
}

interface JoinedText {
  readonly type: "text";
  text: string;
  readonly annotations: JsonObject[];
}

type JoinedBlock = JoinedText | Exclude<AnswerBlock, { readonly type: "text" }>;

/** Adds a block to the text before it. The API cites whole blocks. */
function join(before: JoinedText, { text, citations }: AnswerBlock & { readonly type: "text" }): JoinedText {
  const place = { start_index: before.text.length, end_index: before.text.length + text.length };
  for (const { url, title = "" } of citations)
    before.annotations.push({ type: "url_citation", url, title, ...place });
  before.text += text;
  return before;
}

function toItems(block: JoinedBlock, origin: string): Item[] {
  switch (block.type) {
    case "text":
      return block.text === "" ? [] : [textMessage("assistant", block.text)];
    case "call":
      return [{ ...callOf(block), type: "tool-call" }];
    case "thinking": {
      // Without its signature the API would refuse it.
      const { text, signature } = block;
      return signature === "" ? [] : [reasoning(text, thinkingState({ signature }, origin))];
    }
    case "redacted":
      return [reasoning("", thinkingState({ data: block.data }, origin))];
    case "tool":
    case "other":
      return [];
  }
}

function reasoning(text: string, state: JsonObject): Item {
  return { type: "reasoning", text, providerState: { provider: anthropicName, state } };
}

function callOf({ callId, name, arguments: args }: AnswerBlock & { readonly type: "call" }): FunctionCall {
  return { callId, name, arguments: args.trim() === "" ? "{}" : args };
}

function unnamedCall(): TroupeError {
  return new TroupeError("upstream_invalid", { cause: new Error("A tool call has no name or id.") });
}

function blockOf(given: JsonObject): AnswerBlock {
  const id = stringIn(given.id);
  switch (given.type) {
    case "text":
      return { type: "text", text: stringIn(given.text), citations: citationsIn(given.citations) };
    case "thinking":
      return { type: "thinking", text: stringIn(given.thinking), signature: stringIn(given.signature) };
    case "redacted_thinking":
      return { type: "redacted", data: stringIn(given.data) };
    case "tool_use":
      return { type: "call", callId: id, name: stringIn(given.name), arguments: argumentsIn(given.input) };
    case "server_tool_use":
    case "mcp_tool_use":
      return new ServerTool(given, argumentsIn(given.input));
    default:
      return { type: "other" };
  }
}

/** A vendor's index as a key: anything but a number would be kept with its block. */
function keyOf(index: unknown): number | undefined {
  return typeof index === "number" ? index : undefined;
}

/** Only an answer that is not streamed has its arguments here; in a stream the object is empty. */
function argumentsIn(input: unknown): string {
  return isObject(input) && Object.keys(input).length > 0 ? JSON.stringify(input) : "";
}

function citationsIn(given: unknown): SourceItem[] {
  return Array.isArray(given) ? given.flatMap((one) => citationIn(one) ?? []) : [];
}

/** A source with an address; places in documents of the request have none. */
export function citationIn(given: unknown): SourceItem | undefined {
  if (!isObject(given)) return undefined;
  return sourceItem(given.url ?? given.source, given.title);
}

export function stringIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The kind of text that a delta extends. */
export const kindOfDelta: ReadonlyMap<unknown, DeltaKind> = new Map([
  ["text_delta", "text"],
  ["thinking_delta", "reasoning"],
]);
