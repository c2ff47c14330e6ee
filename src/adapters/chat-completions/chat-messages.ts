import type {
  ChatCompletionContentPart,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import {
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ReasoningItem,
  type ToolCallItem,
  textMessage,
  textOf,
} from "../../ports/item.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { alternateRoles, ownState, sentItems } from "../upstream/sent-items.ts";

/** The name of the provider, and of its state in items. */
export const chatName = "chat-completions";

/**
 * A request's items as the `messages` of Chat Completions, with the note for this answer. Texts are plain strings wherever there is nothing
 * else, because many servers refuse content in parts. The instructions and the system messages at the start are one message, because
 * templates of Mistral and others take only one. Sources are left out, and reasoning too, unless the server wants it: other servers refuse
 * fields that they do not know. A call has its signature if this account and model signed it.
 *
 * Throws `upstream_invalid_request` with the field of the first item that has no such form.
 */
export function toChatMessages(
  { input, note }: Pick<ProviderRequest, "input" | "note">,
  { instructions, origin, wantsReasoning }: MessagesOptions,
): ChatCompletionMessageParam[] {
  for (const [index, item] of input.entries()) refuseUnknownForm(item, index);
  const system =
    instructions === undefined || instructions.trim() === "" ? [] : [textMessage("system", instructions)];
  const reasoningOf = wantsReasoning ? origin : undefined;
  const sent = sentItems(input, (item) => reasoningIn(item, reasoningOf) !== undefined);
  const messages: ChatCompletionMessageParam[] = [];
  let reasoning: string | undefined;
  for (const item of alternateRoles([...system, ...sent], note)) {
    if (item.type === "reasoning") reasoning = reasoningIn(item, reasoningOf);
    else if (item.type === "tool-call") reasoning = addCall(messages, toCall(item, origin), reasoning);
    else {
      messages.push(...toMessage(item));
      if (messages.at(-1)?.role !== "assistant") reasoning = undefined;
    }
  }
  return messages;
}

interface MessagesOptions {
  readonly instructions: string | undefined;
  /** The account and model, whose own reasoning and signatures may go back; `undefined` if none does. */
  readonly origin: string | undefined;
  readonly wantsReasoning: boolean;
}

/** The reasoning of an item that this account and model made. */
function reasoningIn(item: ReasoningItem, origin: string | undefined): string | undefined {
  const { reasoning_content: reasoning } = (origin && ownState(item, chatName, origin)) || {};
  return typeof reasoning === "string" ? reasoning : undefined;
}

function refuseUnknownForm(item: Item, index: number): void {
  const detail = objectionTo(item);
  if (detail !== undefined)
    throw new TroupeError("upstream_invalid_request", { field: `input.${index}`, detail });
}

function objectionTo(item: Item): string | undefined {
  if (item.type === "tool-result")
    return isText(item.output) ? undefined : "This provider takes only text as the result of a tool.";
  if (item.type !== "message") return undefined;
  if (item.role !== "user")
    return isText(item.parts) ? undefined : "This provider takes an image or a file only from the user.";
  const isByAddress = item.parts.some((part) => part.type === "file" && "url" in part);
  return isByAddress ? "This provider takes a file only as data, not by its address." : undefined;
}

function toMessage(item: Item): ChatCompletionMessageParam[] {
  if (item.type === "message") return [toTextOrParts(item)];
  if (item.type === "tool-result")
    return [{ role: "tool", tool_call_id: item.callId, content: textOf(item.output) }];
  return [];
}

function toTextOrParts({ role, parts }: MessageItem): ChatCompletionMessageParam {
  if (role === "user") return { role, content: isText(parts) ? textOf(parts, role) : parts.map(toContent) };
  return { role, content: textOf(parts, role) };
}

function toContent(part: ItemPart): ChatCompletionContentPart {
  if (part.type === "text") return { type: "text", text: part.text };
  const url = "data" in part ? `data:${part.mediaType};base64,${part.data}` : part.url;
  if (part.type === "image") return { type: "image_url", image_url: { url } };
  return { type: "file", file: { filename: part.filename ?? "file", file_data: url } };
}

/** Gemini 3 refuses a call without the signature that it came with. */
function toCall(item: ToolCallItem, origin: string | undefined): ChatCompletionMessageFunctionToolCall {
  const { thought_signature } = (origin && ownState(item, chatName, origin)) || {};
  return {
    ...{ type: "function", id: item.callId, function: { name: item.name, arguments: item.arguments } },
    ...(typeof thought_signature === "string" ? { extra_content: { google: { thought_signature } } } : {}),
  };
}

/**
 * Calls belong to the assistant's message before them; without one they are a message of their own. Adds the reasoning that led to them.
 * Returns the reasoning that is left for later calls.
 */
function addCall(
  messages: ChatCompletionMessageParam[],
  call: ChatCompletionMessageFunctionToolCall,
  reasoning: string | undefined,
): undefined {
  const last = messages.at(-1);
  const before = reasoning === undefined ? {} : { reasoning_content: reasoning };
  if (last?.role === "assistant")
    Object.assign(last, { tool_calls: [...(last.tool_calls ?? []), call], ...before });
  else messages.push({ role: "assistant", content: null, tool_calls: [call], ...before });
}
