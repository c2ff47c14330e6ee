import type { ClientMessageType } from "../../src/protocol/client-messages.ts";
import { type FieldPath, fieldPaths } from "./field-paths.ts";
import { type Frame, textFrame } from "./frame.ts";
import { edgeValues, hostileValues, type JsonText } from "./hostile-values.ts";

/** One field of a message and the value that is sent in it. */
export interface FieldCase {
  readonly type: ClientMessageType;
  readonly path: readonly string[];
  readonly value: JsonText;
}

/** The request that the server holds before any other frame is sent, and the conversation that it started. */
export const knownRequestId = "fuzz-known";
export const knownConversationId = "id-1";

const spoken = { message: "Why?", max_tokens: 12 };

/** A message of each type that the server accepts, with hardly more than the required fields. */
export const plainData: Readonly<Record<ClientMessageType, Readonly<Record<string, unknown>>>> = {
  openai_chat: { input_text: "Why?", options: { max_output_tokens: 12 } },
  chat: { ...spoken, persona_id: "skeptic" },
  multi_chat: { ...spoken, persona_ids: ["skeptic", "teacher"] },
  cancel: { request_id: "fuzz-unknown" },
  resume: { request_id: knownRequestId, after_seq: 0 },
  follow: { conversation_id: "fuzz-unknown" },
  unfollow: { conversation_id: "fuzz-unknown" },
  ping: {},
};

/** Every field of every message with every value that would be wrong, or just barely right. */
export function fieldCases(): FieldCase[] {
  return fieldPaths().flatMap(({ type, path, schemas }: FieldPath) => {
    const values = new Set([...hostileValues, ...schemas.flatMap(edgeValues)]);
    return [...values].map((value) => ({ type, path, value }));
  });
}

/** The frame of a message of this type with the fields of the cases; cases of other types count as well. */
export function fieldFrame(type: ClientMessageType, cases: readonly FieldCase[]): Frame {
  const message: Record<string, unknown> = { type, data: structuredClone(plainData[type]) };
  const texts: string[] = [];
  for (const { path, value } of cases) {
    // Another case may have replaced the data.
    if (typeof message.data === "object" && message.data !== null)
      prepareItem(message.data as Record<string, unknown>, path);
    if (value === undefined) {
      place(message, path, undefined);
      continue;
    }
    place(message, path, `${mark}${texts.length}${mark}`);
    texts.push(value);
  }
  return textFrame(
    JSON.stringify(message).replaceAll(markedString, (_, index: string) => texts[Number(index)] ?? "null"),
  );
}

const functionCall = { type: "function_call", call_id: "c", name: "f", arguments: "{}" };
const reasoning = { type: "reasoning", summary: [] };
/** An item that has the field, with hardly more than its required fields. */
const itemWith: Readonly<Record<string, object>> = {
  ...{ call_id: functionCall, name: functionCall, arguments: functionCall },
  output: { type: "function_call_output", call_id: "c", output: "" },
  ...{ summary: reasoning, encrypted_content: reasoning },
};
const image = { type: "input_image", image_url: "https://a.example/" };
const file = { type: "input_file", file_url: "https://a.example/" };
/** The same for a part of a message. */
const partWith: Readonly<Record<string, object>> = {
  refusal: { type: "refusal", refusal: "" },
  ...{ image_url: image, detail: image },
  ...{ filename: file, file_url: file, file_data: { type: "input_file" } },
};

/**
 * A field of an item is only read in an item of its type, which stands in the place of the text. That of a member needs the name of its
 * persona.
 */
function prepareItem(
  data: Record<string, unknown>,
  [, input, place, field = "", inner, name = ""]: readonly string[],
) {
  if (input === "members" && place !== undefined && !Object.hasOwn(data, "members"))
    data.members = [{ persona_id: "teacher" }];
  if (input !== "input") return;
  delete data.input_text;
  if (place === undefined || Object.hasOwn(data, "input")) return;
  const item: Record<string, unknown> = structuredClone({
    ...(itemWith[field] ?? { role: "user", content: "Why?" }),
  });
  if (inner !== undefined && field !== "summary")
    item[field] = [{ ...(partWith[name] ?? { type: "input_text", text: "" }) }];
  data.input = [item];
}

/** Marks the number of a value whose JSON text is inserted later. */
const mark = "@value@";
const markedString = new RegExp(`"${mark}(\\d+)${mark}"`, "g");

/** Puts a value at a path. A value that blocks the path is replaced by an object, or by a list before `0`. */
function place(root: Record<string, unknown>, path: readonly string[], value: string | undefined): void {
  let holder: Record<string, unknown> = root;
  for (const [index, key] of path.slice(0, -1).entries()) {
    const next = holder[key];
    const fresh: unknown = path[index + 1] === "0" ? [] : {};
    if (typeof next !== "object" || next === null) holder[key] = fresh;
    holder = holder[key] as Record<string, unknown>;
  }
  const last = path.at(-1) ?? "";
  if (value === undefined) delete holder[last];
  else holder[last] = value;
}
