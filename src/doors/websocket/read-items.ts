import { readCarried } from "../../ports/carried-reasoning.ts";
import { type Item, type ItemPart, textMessage } from "../../ports/item.ts";
import type { InputItem, InputPart } from "../../protocol/input-items.ts";

/** The form of `input` is that of one vendor, and so is the encrypted reasoning in it. */
const vendor = "openai";

/** Turns the items of a frame into items that do not depend on the door. */
export function readItems(input: readonly InputItem[]): Item[] {
  return input.map(readItem);
}

function readItem(item: InputItem): Item {
  switch (item.type) {
    case "function_call":
      return { type: "tool-call", callId: item.call_id, name: item.name, arguments: item.arguments };
    case "function_call_output":
      return { type: "tool-result", callId: item.call_id, output: readContent(item.output) };
    case "reasoning": {
      const { summary, encrypted_content } = item;
      const carried = encrypted_content === undefined ? undefined : readCarried(encrypted_content);
      if (carried !== undefined) return carried;
      const text = summary.map((part) => part.text).join("\n\n");
      if (encrypted_content === undefined) return { type: "reasoning", text };
      return { type: "reasoning", text, providerState: { provider: vendor, state: { encrypted_content } } };
    }
    default: {
      const role = item.role === "developer" ? "system" : item.role;
      if (typeof item.content === "string") return textMessage(role, item.content);
      return { type: "message", role, parts: readContent(item.content) };
    }
  }
}

function readContent(content: string | readonly InputPart[]): ItemPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content.map(readPart);
}

function readPart(part: InputPart): ItemPart {
  switch (part.type) {
    case "input_text":
    case "output_text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.refusal };
    case "input_image":
      return { type: "image", ...placeOf(part.image_url) };
    case "input_file":
      return {
        type: "file",
        ...(part.filename === undefined ? {} : { filename: part.filename }),
        ...placeOf(part.file_data ?? part.file_url ?? ""),
      };
  }
}

/** The server never loads an address: it is the vendor that does. */
function placeOf(
  source: string,
): { readonly url: string } | { readonly data: string; readonly mediaType: string } {
  const comma = source.indexOf(",");
  const head = /^data:([^;]*);base64$/i.exec(source.slice(0, Math.max(0, comma)));
  if (head === null) return { url: source };
  return { mediaType: head[1] ?? "", data: source.slice(comma + 1) };
}
