import type {
  ResponseInputContent,
  ResponseInputItem,
  ResponseReasoningItem,
} from "openai/resources/responses/responses";
import {
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ReasoningItem,
  type ToolResultItem,
  textMessage,
  textOf,
} from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { alternateRoles } from "../upstream/alternate-roles.ts";
import { ownState, sentItems } from "../upstream/own-state.ts";
import { fullText, reasoningTexts } from "./merged-output.ts";

/** The name of the provider, which marks its state in items. */
export const openaiName = "openai";

/**
 * An item of the `input`. Reasoning has no id: where nothing is stored, the API refuses ids (vercel/ai#12689), and an id could name
 * another caller's reasoning.
 */
type InputItem = ResponseInputItem | Omit<ResponseReasoningItem, "id">;

/**
 * A request's items as the `input` of the Responses API, with the note for this answer. Texts are plain strings wherever there is nothing
 * else: llama.cpp refuses an assistant's item without a type, and other servers refuse content in parts. Reasoning goes back only to its
 * `origin`, because no other account can decrypt it, and would refuse the request. Throws `upstream_invalid_request` for an image or a
 * file in an assistant's message.
 */
export function toResponsesInput(
  { input, note }: Pick<ProviderRequest, "input" | "note">,
  origin: string | undefined,
): InputItem[] {
  const sent = sentItems(input, (item) => encryptedIn(item, origin) !== undefined);
  return alternateRoles(sent, note).flatMap(toInputItem);
}

function toInputItem(item: Item): InputItem[] {
  switch (item.type) {
    case "message":
      return [toMessage(item)];
    case "tool-call": {
      const { callId: call_id, name, arguments: args } = item;
      return [{ type: "function_call", call_id, name, arguments: args }];
    }
    case "tool-result":
      return [{ type: "function_call_output", call_id: item.callId, output: outputOf(item) }];
    case "reasoning":
      return [toReasoning(item)];
    case "source":
      return [];
  }
}

function toMessage({ role, parts }: MessageItem): ResponseInputItem {
  if (isText(parts)) return { type: "message", role, content: textOf(parts, role) };
  if (role !== "assistant") return { type: "message", role, content: parts.map(toContent) };
  throw new TroupeError("upstream_invalid_request", {
    field: "input",
    detail: "This provider takes no image or file in an assistant's message.",
  });
}

function outputOf({ output }: ToolResultItem) {
  return isText(output) ? textOf(output) : output.map(toContent);
}

function toContent(part: ItemPart): ResponseInputContent {
  if (part.type === "text") return { type: "input_text", text: part.text };
  const isInline = "data" in part;
  const url = isInline ? `data:${part.mediaType};base64,${part.data}` : part.url;
  // Servers that validate with OpenAI's Python types refuse an image without `detail`.
  if (part.type === "image") return { type: "input_image", detail: "auto", image_url: url };
  const { filename } = part;
  if (!isInline) return { type: "input_file", file_url: url };
  return { type: "input_file", filename: filename ?? "file", file_data: url };
}

/** Its encrypted form, if it is this provider's and of this origin. */
function encryptedIn(item: ReasoningItem, origin: string | undefined): string | undefined {
  const { encrypted_content } = ownState(item, openaiName, origin) ?? {};
  return typeof encrypted_content === "string" ? encrypted_content : undefined;
}

function toReasoning({ text, providerState }: ReasoningItem): InputItem {
  const summary = text === "" ? [] : [{ type: "summary_text" as const, text }];
  return { type: "reasoning", summary, encrypted_content: String(providerState?.state.encrypted_content) };
}

/** The items of an answer's `output`; `undefined` if it is only text, which was streamed. `origin`: the account and model that made it. */
export function itemsOfOutput(output: unknown, origin: string | undefined): readonly Item[] | undefined {
  const items = (Array.isArray(output) ? output : []).flatMap((item) => toItem(item, origin));
  return items.some(({ type }) => type !== "message") ? items : undefined;
}

function toItem(item: unknown, origin: string | undefined): Item[] {
  if (!isObject(item)) return [];
  switch (item.type) {
    case "message":
      return [textMessage("assistant", fullText([item]))];
    case "function_call":
      return toToolCall(item);
    case "reasoning": {
      const { encrypted_content } = item;
      if (origin === undefined || typeof encrypted_content !== "string" || encrypted_content === "")
        return [];
      const providerState = { provider: openaiName, state: { origin, encrypted_content } };
      return [{ type: "reasoning", text: reasoningTexts([item]).join("\n\n"), providerState }];
    }
    default:
      return [];
  }
}

function toToolCall({ call_id: callId, name, arguments: args }: JsonObject): Item[] {
  if (typeof callId !== "string" || typeof name !== "string" || typeof args !== "string") return [];
  return [{ type: "tool-call", callId, name, arguments: args }];
}
