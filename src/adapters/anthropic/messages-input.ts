import {
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ReasoningItem,
  type ToolCallItem,
  type ToolResultItem,
  textMessage,
  textOf,
} from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { parseJson } from "../upstream/event-stream-parser.ts";
import { alternateRoles, ownState, sentItems } from "../upstream/sent-items.ts";
import type { Block, ContentBlock, ImageType, RequestMessage } from "./messages-api.ts";

/** The name of the provider, which marks its state in items. */
export const anthropicName = "anthropic";

/** The texts of a request in the form of the API. */
interface MessagesInput {
  readonly system?: string;
  readonly messages: readonly RequestMessage[];
}

interface InputOptions {
  readonly instructions: string | undefined;
  /** The account and model that are asked. They alone can read their thinking. */
  readonly origin: string | undefined;
  /** The next request starts with the same texts, except for the note. */
  readonly marksCache: boolean;
}

interface OpenMessage {
  readonly role: RequestMessage["role"];
  readonly blocks: Block[];
}

/**
 * A request's items as `system` and `messages`, with the note for this answer. The first message is the user's, roles alternate, the results
 * of tools come first in their message, and no text is empty: the API refuses anything else.
 *
 * Throws `upstream_invalid_request` with the field of the first item that has no such form.
 */
export function toMessages(
  { input, note }: Pick<ProviderRequest, "input" | "note">,
  { instructions, origin, marksCache }: InputOptions,
): MessagesInput {
  for (const [index, item] of input.entries()) refuseUnknownForm(item, index);
  const sent = sentItems(input, (item) => toThinking(item, origin) !== undefined);
  const place = sent.findIndex((item) => !isSystem(item));
  const leading = sent.slice(0, place < 0 ? sent.length : place).filter(isSystem);
  const system = [instructions ?? "", ...leading.map(({ parts }) => textOf(parts))].filter(hasWords);
  const rest = sent.slice(leading.length).map((item) => (isSystem(item) ? asUser(item) : item));
  const open: OpenMessage[] = [];
  for (const item of alternateRoles(rest)) addItem(open, item, origin);
  if (marksCache) markLast(open.at(-1));
  if (note !== undefined) addItem(open, textMessage("user", `<note>${note}</note>`), origin);
  return {
    ...(system.length === 0 ? {} : { system: system.join("\n\n") }),
    messages: withFirstQuestion(open).map(toMessage),
  };
}

function refuseUnknownForm(item: Item, index: number): void {
  const detail = objectionTo(item);
  if (detail !== undefined)
    throw new TroupeError("upstream_invalid_request", { field: `input.${index}`, detail, isUnread: true });
}

function objectionTo(item: Item): string | undefined {
  if (item.type === "tool-result") return objectionIn(item.output);
  if (item.type !== "message") return undefined;
  if (item.role === "user") return objectionIn(item.parts);
  return isText(item.parts) ? undefined : "This provider takes an image or a file only from the user.";
}

const imageTypes: ReadonlySet<string> = new Set<ImageType>([
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
]);

function isImageType(type: string): type is ImageType {
  return imageTypes.has(type);
}

function objectionIn(parts: readonly ItemPart[]): string | undefined {
  for (const part of parts) {
    if (!("data" in part)) continue;
    if (part.type === "image" && !isImageType(part.mediaType))
      return "This provider takes images in JPEG, PNG, GIF and WebP only.";
    if (part.type === "file" && part.mediaType !== "application/pdf" && !part.mediaType.startsWith("text/"))
      return "This provider takes PDF files and files of text only.";
  }
  return undefined;
}

function isSystem(item: Item): item is MessageItem {
  return item.type === "message" && item.role === "system";
}

/** Older models take a system message only before the conversation. */
function asUser({ parts }: MessageItem): MessageItem {
  return textMessage("user", `<system>${textOf(parts)}</system>`);
}

function hasWords(text: string): boolean {
  return text.trim() !== "";
}

function addItem(open: OpenMessage[], item: Item, origin: string | undefined): void {
  switch (item.type) {
    case "message":
      if (item.role === "assistant")
        add(open, "assistant", { type: "text", text: textOf(item.parts, item.role) });
      else for (const part of item.parts) add(open, "user", toContent(part));
      break;
    case "tool-call":
      add(open, "assistant", toToolUse(item));
      break;
    case "tool-result":
      add(open, "user", toToolResult(item));
      break;
    case "reasoning": {
      const block = toThinking(item, origin);
      if (block !== undefined) add(open, "assistant", block);
      break;
    }
    case "source":
      break;
  }
}

function add(open: OpenMessage[], role: OpenMessage["role"], block: Block): void {
  const last = open.at(-1);
  if (last?.role === role) last.blocks.push(block);
  else open.push({ role, blocks: [block] });
}

function toContent(part: ItemPart): ContentBlock {
  if (part.type === "text") return { type: "text", text: part.text };
  if (part.type === "image") {
    if (!("data" in part)) return { type: "image", source: { type: "url", url: part.url } };
    const { data, mediaType } = part;
    // Images of other types were refused before.
    const media_type = isImageType(mediaType) ? mediaType : "image/png";
    return { type: "image", source: { type: "base64", media_type, data } };
  }
  const title = part.filename === undefined ? {} : { title: part.filename };
  if (!("data" in part)) return { type: "document", ...title, source: { type: "url", url: part.url } };
  const { data, mediaType } = part;
  if (mediaType === "application/pdf")
    return { type: "document", ...title, source: { type: "base64", media_type: mediaType, data } };
  const text = Buffer.from(data, "base64").toString("utf8");
  return { type: "document", ...title, source: { type: "text", media_type: "text/plain", data: text } };
}

function toToolUse({ callId, name, arguments: args }: ToolCallItem): Block {
  const input = parseJson(args);
  // The API takes only an object, and a model may have written anything.
  return { type: "tool_use", id: idOf(callId), name, input: isObject(input) ? input : { arguments: args } };
}

function toToolResult({ callId, output }: ToolResultItem): Block {
  const content = isText(output)
    ? textOf(output)
    : output.filter((part) => part.type !== "text" || hasWords(part.text)).map(toContent);
  return { type: "tool_result", tool_use_id: idOf(callId), content };
}

/** The API refuses ids with other characters, which other vendors may have given. */
function idOf(callId: string): string {
  return callId.replace(/[^\w-]/g, "_");
}

/** The state of a thinking block, as it is kept with an item of reasoning. */
export function thinkingState(block: { signature: string } | { data: string }, origin: string): JsonObject {
  return { origin, ...block };
}

function toThinking(item: ReasoningItem, origin: string | undefined): Block | undefined {
  const { signature, data } = ownState(item, anthropicName, origin) ?? {};
  if (typeof data === "string") return { type: "redacted_thinking", data };
  return typeof signature === "string" ? { type: "thinking", thinking: item.text, signature } : undefined;
}

/** A cache that ends at the note would never be read again. Only blocks of the user are marked: one of them is the question. */
function markLast(last: OpenMessage | undefined): void {
  const block = last?.blocks.at(-1);
  if (last === undefined || block === undefined || isAssistants(block)) return;
  last.blocks[last.blocks.length - 1] = { ...block, cache_control: { type: "ephemeral" } };
}

function isAssistants(block: Block): block is Exclude<Block, { readonly cache_control?: unknown }> {
  return block.type === "thinking" || block.type === "redacted_thinking" || block.type === "tool_use";
}

/** A cut context may start with an answer, which the API refuses. */
function withFirstQuestion(open: readonly OpenMessage[]): readonly OpenMessage[] {
  if (open[0]?.role !== "assistant") return open;
  const text = "<note>The start of this conversation is left out.</note>";
  return [{ role: "user", blocks: [{ type: "text", text }] }, ...open];
}

function toMessage(
  { role, blocks }: OpenMessage,
  index: number,
  all: readonly OpenMessage[],
): RequestMessage {
  if (role === "assistant")
    return { role, content: plain(index === all.length - 1 ? blocks.map(withoutEndSpaces) : blocks) };
  const results = blocks.filter(({ type }) => type === "tool_result");
  const others = blocks.filter(({ type }) => type !== "tool_result");
  return { role, content: plain([...results, ...others]) };
}

/** The API refuses white space at the end of the last answer. */
function withoutEndSpaces(block: Block): Block {
  return block.type === "text" ? { ...block, text: block.text.trimEnd() } : block;
}

/** One text is sent as it is, because some gateways take no blocks. */
function plain(blocks: Block[]): string | Block[] {
  const [only] = blocks;
  const isPlain = blocks.length === 1 && only?.type === "text" && only.cache_control === undefined;
  return isPlain ? only.text : blocks;
}
