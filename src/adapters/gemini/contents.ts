import {
  type Item,
  type ItemPart,
  isText,
  type MessageItem,
  type ToolCallItem,
  type ToolResultItem,
  textOf,
} from "../../ports/item.ts";
import { isObject, type JsonObject } from "../../ports/json.ts";
import type { ProviderRequest } from "../../ports/provider.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { parseJson } from "../upstream/event-stream-parser.ts";
import { alternateRoles, sentItems } from "../upstream/sent-items.ts";
import { type PartState, partStateOf } from "./part-state.ts";

/** Bytes in a request, as base64 or by address. Fields of the API (`Blob`, `FileData`). */
interface GeminiBytes {
  readonly inlineData?: { readonly mimeType: string; readonly data: string };
  readonly fileData?: { readonly fileUri: string; readonly mimeType?: string };
}

/** One part of a content. Fields of the API (`Part`). */
interface GeminiPart extends GeminiBytes {
  readonly text?: string;
  readonly thought?: boolean;
  thoughtSignature?: string;
  readonly functionCall?: { readonly id?: string; readonly name: string; readonly args: JsonObject };
  readonly functionResponse?: {
    readonly id?: string;
    readonly name: string;
    readonly response: JsonObject;
    readonly parts?: readonly GeminiBytes[];
  };
}

export interface GeminiContent {
  readonly role: "user" | "model";
  readonly parts: GeminiPart[];
}

/** Google's own word for "there is no signature", for calls that another model made (badlogic/pi-mono#1829). */
const noSignature = "skip_thought_signature_validator";

interface ContentsOptions {
  /** The account and model that are asked. Only their own state goes back to them. */
  readonly origin: string;
  readonly wantsSignatures: boolean;
}

/**
 * A request's items as `contents`, with the note for this answer. Neighbours of one role are one content, so that the results of parallel
 * calls follow these calls together. System messages are left out: see `systemTexts`. So are sources, and reasoning without a signature.
 *
 * Throws `upstream_invalid_request` with the field of the first item that has no such form.
 */
export function toContents(
  { input, note }: Pick<ProviderRequest, "input" | "note">,
  { origin, wantsSignatures }: ContentsOptions,
): GeminiContent[] {
  const calls = new Map<string, ToolCallItem>();
  for (const [index, item] of input.entries()) {
    if (item.type === "tool-call") calls.set(item.callId, item);
    refuseUnknownForm(item, index, calls);
  }
  const sent = sentItems(input, (item) => partStateOf(item, origin).signature !== undefined).filter(
    (item) => item.type !== "message" || item.role !== "system",
  );
  const contents: GeminiContent[] = [];
  for (const item of alternateRoles(sent, note)) {
    const role = isOfUser(item) ? "user" : "model";
    const parts = partsOf(item, calls, origin);
    const last = contents.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else contents.push({ role, parts });
  }
  if (wantsSignatures) for (const content of contents) signCalls(content);
  return contents;
}

/** The texts of system messages, which Gemini takes apart from its contents. */
export function systemTexts(input: readonly Item[]): string[] {
  return input.flatMap((item) =>
    item.type === "message" && item.role === "system" ? [textOf(item.parts, item.role)] : [],
  );
}

function refuseUnknownForm(item: Item, index: number, calls: ReadonlyMap<string, ToolCallItem>): void {
  const detail = objectionTo(item, calls);
  if (detail !== undefined)
    throw new TroupeError("upstream_invalid_request", { field: `input.${index}`, detail, isUnread: true });
}

function objectionTo(item: Item, calls: ReadonlyMap<string, ToolCallItem>): string | undefined {
  if (item.type === "message" && item.role === "system" && !isText(item.parts))
    return "This provider takes only text in a system message.";
  // The API wants the name of the function, which only the call has.
  if (item.type === "tool-result" && !calls.has(item.callId))
    return "This provider takes the result of a tool only after its call.";
  return undefined;
}

function isOfUser(item: Item): boolean {
  return item.type === "tool-result" || (item.type === "message" && item.role === "user");
}

function partsOf(item: Item, calls: ReadonlyMap<string, ToolCallItem>, origin: string): GeminiPart[] {
  const own = partStateOf(item, origin);
  switch (item.type) {
    case "message":
      return messageParts(item, own);
    case "reasoning":
      return [{ text: item.text, thought: true, ...signatureOf(own) }];
    case "tool-call": {
      const { name, arguments: args } = item;
      return [{ functionCall: { ...idOf(own), name, args: argumentsOf(args) }, ...signatureOf(own) }];
    }
    case "tool-result":
      return [responsePart(item, calls.get(item.callId), origin)];
    case "source":
      return [];
  }
}

function messageParts({ role, parts }: MessageItem, own: PartState): GeminiPart[] {
  const texts = isText(parts) ? [{ text: textOf(parts, role) }] : parts.map(toPart);
  const last = texts.pop();
  return last === undefined ? [] : [...texts, { ...last, ...signatureOf(own) }];
}

/** An id goes back only if Gemini gave it: older models and Vertex AI refuse the field (vercel/ai#15664). */
function idOf({ id }: PartState) {
  return id === undefined ? {} : { id };
}

function signatureOf({ signature }: PartState) {
  return signature === undefined ? {} : { thoughtSignature: signature };
}

/** Arguments must be an object here. A malformed text of another model is still shown to this one. */
function argumentsOf(args: string): JsonObject {
  const parsed = parseJson(args);
  return isObject(parsed) ? parsed : { arguments: args };
}

function responsePart({ output }: ToolResultItem, call: ToolCallItem | undefined, origin: string) {
  const bytes = output.filter((part) => part.type !== "text").map(toPart);
  const functionResponse = {
    ...(call === undefined ? {} : idOf(partStateOf(call, origin))),
    name: call?.name ?? "",
    response: { output: textOf(output) },
    ...(bytes.length === 0 ? {} : { parts: bytes }),
  };
  return { functionResponse };
}

function toPart(part: ItemPart): GeminiPart {
  if (part.type === "text") return { text: part.text };
  if ("data" in part) return { inlineData: { mimeType: part.mediaType, data: part.data } };
  const mimeType = part.mediaType ?? mediaTypeOf(part.url);
  return { fileData: { fileUri: part.url, ...(mimeType === undefined ? {} : { mimeType }) } };
}

/** Media types by the ends of addresses, for images and files that Gemini reads. */
const mediaTypes: Readonly<Record<string, string>> = {
  gif: "image/gif",
  heic: "image/heic",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  pdf: "application/pdf",
  png: "image/png",
  txt: "text/plain",
  webp: "image/webp",
};

function mediaTypeOf(url: string): string | undefined {
  const [, end = ""] = /^[^?#]*\.(\w+)(?:[?#]|$)/.exec(url) ?? [];
  return Object.hasOwn(mediaTypes, end.toLowerCase()) ? mediaTypes[end.toLowerCase()] : undefined;
}

/** Only the first of parallel calls has a signature; without one, the word goes to the same place. */
function signCalls({ role, parts }: GeminiContent): void {
  const calls = parts.filter(({ functionCall }) => functionCall !== undefined);
  const [first] = calls;
  if (role === "model" && first !== undefined && calls.every((call) => call.thoughtSignature === undefined))
    first.thoughtSignature = noSignature;
}
