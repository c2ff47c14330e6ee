import { z } from "zod";
import { TroupeError } from "../protocol/errors.ts";
import { isObject, isWithin, type JsonObject } from "./json.ts";

/*
 * Items: the entries of a model's context and of its output, independent of vendors and of doors. A door makes them of its own wire, and
 * a provider makes its vendor's request of them.
 */

/** State that only one vendor's API understands, such as the signature of its reasoning. It goes back to that API unchanged. */
export interface ProviderState {
  /** The name of the provider that made it (`Provider.name`). Every other provider ignores the state. */
  readonly provider: string;
  readonly state: JsonObject;
}

interface AnyItem {
  readonly providerState?: ProviderState;
}

/** Where the bytes of an image or a file are: at an address, or here as base64. `mediaType` is a MIME type such as `image/png`. */
type Content =
  | { readonly url: string; readonly mediaType?: string }
  | { readonly data: string; readonly mediaType: string };

/** A part of a message, or of the output of a tool. */
export type ItemPart =
  | { readonly type: "text"; readonly text: string }
  | ({ readonly type: "image" } & Content)
  | ({ readonly type: "file"; readonly filename?: string } & Content);

/** A message. Its role `system` stands for the vendors' roles `system` and `developer`. */
export interface MessageItem extends AnyItem {
  readonly type: "message";
  readonly role: "user" | "assistant" | "system";
  readonly parts: readonly ItemPart[];
}

/** A model's call of a function. */
export interface ToolCallItem extends AnyItem {
  readonly type: "tool-call";
  readonly callId: string;
  readonly name: string;
  /** JSON as the model wrote it, so it may be malformed. */
  readonly arguments: string;
}

/** The result of a call, for the model. */
export interface ToolResultItem extends AnyItem {
  readonly type: "tool-result";
  readonly callId: string;
  readonly output: readonly ItemPart[];
}

/** A model's reasoning. */
export interface ReasoningItem extends AnyItem {
  readonly type: "reasoning";
  /** The summary that a person may read; empty if there is none. */
  readonly text: string;
}

/** A source that an answer used. */
export interface SourceItem extends AnyItem {
  readonly type: "source";
  readonly url: string;
  readonly title?: string;
}

/** One entry of a model's context or output. */
export type Item = MessageItem | ToolCallItem | ToolResultItem | ReasoningItem | SourceItem;

/** A function that a model may call, and that the client runs itself. */
export interface FunctionTool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly parameters: JsonObject;
  /** Whether the arguments always fit the schema. Default: the vendor's. */
  readonly strict?: boolean;
}

/** The limits of items that are stored or sent between processes. Sizes are in UTF-16 code units. */
export const itemLimits = {
  /** Items of one list. */
  items: 4_096,
  /** Parts of one message or output. */
  parts: 256,
  /** Ids, names, media types, and titles. */
  nameChars: 512,
  /** Addresses of images, files and sources. */
  urlChars: 8_192,
  /** One text, and the arguments of one call. */
  textChars: 10 * 1024 * 1024,
  /** The base64 of one image or file; 32 MiB of bytes. */
  dataChars: 44_739_244,
  /** The JSON of a provider's state, or of the schema of a function. */
  jsonChars: 256 * 1024,
  /** Objects and lists inside each other in such JSON. */
  jsonDepth: 64,
  /** The JSON of the items of one answer; a longer one is stored as its text alone. */
  answerChars: 256 * 1024,
  /** Sources that a provider tells of one answer. */
  sources: 256,
  /** Functions of one request. */
  functions: 512,
} as const;

/** A message of one text. */
export function textMessage(role: MessageItem["role"], text: string): MessageItem {
  return { type: "message", role, parts: [{ type: "text", text }] };
}

/** A source with an address of the web, within the limits of stored items. Any other address gives `undefined`. */
export function sourceItem(url: unknown, title: unknown): SourceItem | undefined {
  if (typeof url !== "string" || !/^https?:/.test(url) || url.length > itemLimits.urlChars) return undefined;
  if (typeof title !== "string" || title === "") return { type: "source", url };
  return { type: "source", url, title: title.slice(0, itemLimits.nameChars).toWellFormed() };
}

/** The words of a message or an output: its texts. A model's texts go on from each other; the others are paragraphs. */
export function textOf(parts: readonly ItemPart[], role: MessageItem["role"] = "user"): string {
  return parts
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join(role === "assistant" ? "" : "\n\n");
}

/** The words of the user in new items of a request, as a conversation shows them. */
export function userText(items: readonly Item[]): string {
  return items
    .flatMap((item) => (item.type === "message" && item.role === "user" ? [textOf(item.parts)] : []))
    .filter((text) => text !== "")
    .join("\n\n");
}

/** Whether it has nothing but texts. */
export function isText(parts: readonly ItemPart[]): boolean {
  return parts.every(({ type }) => type === "text");
}

/**
 * The context as messages of plain text, for a provider that takes nothing else. Reasoning and sources are left out. Throws
 * `upstream_invalid_request` with the field of the first item that has no such form: an image, a file, a tool call or its result.
 */
export function textMessages(
  input: readonly Item[],
): readonly { readonly role: MessageItem["role"]; readonly text: string }[] {
  return input.flatMap((item, index) => {
    if (item.type === "reasoning" || item.type === "source") return [];
    if (item.type === "message" && isText(item.parts))
      return [{ role: item.role, text: textOf(item.parts, item.role) }];
    const detail = "This provider takes only messages of text.";
    throw new TroupeError("upstream_invalid_request", { field: `input.${index}`, detail });
  });
}

/** Every text in items that a model reads: words, names and arguments of calls, names of files. */
export function textsOfItems(items: readonly Item[]): string[] {
  return items.flatMap(textsOfItem);
}

function textsOfItem(item: Item): string[] {
  switch (item.type) {
    case "message":
      return textsOfParts(item.parts);
    case "tool-call":
      return [item.name, item.arguments];
    case "tool-result":
      return textsOfParts(item.output);
    case "reasoning":
      return [item.text];
    case "source":
      return [item.url, item.title ?? ""];
  }
}

/** The images and files in items. */
export function attachmentsOf(items: readonly Item[]): readonly Exclude<ItemPart, { type: "text" }>[] {
  return items.flatMap((item) => {
    const parts = item.type === "message" ? item.parts : item.type === "tool-result" ? item.output : [];
    return parts.filter((part) => part.type !== "text");
  });
}

function textsOfParts(parts: readonly ItemPart[]): string[] {
  return parts.flatMap((part) => {
    if (part.type === "text") return [part.text];
    return [...("url" in part ? [part.url] : []), ...(part.type === "file" ? [part.filename ?? ""] : [])];
  });
}

/*
 * The schemas of items that are stored or sent between processes. Each has a limit, because a stored item may come from a client and
 * from another version.
 */

const { nameChars, urlChars, textChars, dataChars, jsonChars, jsonDepth } = itemLimits;

const textSchema = z.string().max(textChars);
const nameSchema = z.string().max(nameChars);
const urlSchema = z.string().max(urlChars);
/** Foreign JSON, not copied. */
const jsonSchema = z.custom<JsonObject>(
  (value) => isObject(value) && isWithin(value, { maxChars: jsonChars, maxDepth: jsonDepth }),
  "expected an object within the limits",
);

const ofItem = { providerState: z.looseObject({ provider: nameSchema, state: jsonSchema }).exactOptional() };

const atAddress = { url: urlSchema, mediaType: nameSchema.exactOptional() };
const inline = { data: z.string().max(dataChars), mediaType: nameSchema };
const imageFields = { type: z.literal("image") };
const fileFields = { type: z.literal("file"), filename: nameSchema.exactOptional() };
const partSchema = z.union([
  z.looseObject({ type: z.literal("text"), text: textSchema }),
  z.looseObject({ ...imageFields, ...inline }),
  z.looseObject({ ...imageFields, ...atAddress }),
  z.looseObject({ ...fileFields, ...inline }),
  z.looseObject({ ...fileFields, ...atAddress }),
]);
const partsSchema = z.array(partSchema).max(itemLimits.parts);

const storedItem = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("message"),
    role: z.enum(["user", "assistant", "system"]),
    parts: partsSchema,
    ...ofItem,
  }),
  z.looseObject({
    type: z.literal("tool-call"),
    callId: nameSchema,
    name: nameSchema,
    arguments: textSchema,
    ...ofItem,
  }),
  z.looseObject({ type: z.literal("tool-result"), callId: nameSchema, output: partsSchema, ...ofItem }),
  z.looseObject({ type: z.literal("reasoning"), text: textSchema, ...ofItem }),
  z.looseObject({ type: z.literal("source"), url: urlSchema, title: nameSchema.exactOptional(), ...ofItem }),
]);

export const storedItems = z.array(storedItem).max(itemLimits.items);

export const storedFunctions = z
  .array(
    z.looseObject({
      name: nameSchema,
      description: textSchema.exactOptional(),
      parameters: jsonSchema,
      strict: z.boolean().exactOptional(),
    }),
  )
  .max(itemLimits.functions);

/** The items of an answer if they can be stored, else `undefined`: the answer is then only its text. */
export function storableItems(items: readonly Item[] | undefined): readonly Item[] | undefined {
  if (items === undefined) return undefined;
  // A provider's state adds its own depth to that of the items around it.
  const limits = { maxChars: itemLimits.answerChars, maxDepth: 2 * jsonDepth };
  return isWithin(items, limits) && storedItems.safeParse(items).success ? items : undefined;
}
