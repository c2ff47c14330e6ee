import type { z } from "zod";
import { type ClientMessage, type ClientMessageType, clientMessages } from "./client-messages.ts";
import { TroupeError } from "./errors.ts";
import { faultIn, inPlainWords, isEchoable } from "./fault-in.ts";
import { wireLimits } from "./limits.ts";

/** The recognised parts of a frame, so that a client can match its error. */
export interface FrameOrigin {
  readonly type?: string;
  readonly id?: string;
}

export type Decoded =
  | { readonly ok: true; readonly message: ClientMessage }
  | { readonly ok: false; readonly error: TroupeError; readonly origin: FrameOrigin | undefined };

/**
 * Decodes a client's text: the only function that does.
 *
 * Never throws. Errors: `invalid_json`, `unknown_type`, `invalid_message` (with the field's path).
 */
export function decodeClientMessage(text: string): Decoded {
  const survey = surveyJson(text);
  const tooLarge = whyTooLarge(survey);
  if (tooLarge !== undefined) {
    return refuse(new TroupeError("invalid_message", { detail: tooLarge }), originOf(survey));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The cause is left out: V8's error holds the whole text.
    return refuse(new TroupeError("invalid_json"));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(new TroupeError("invalid_message", { detail: "A message is a JSON object." }));
  }
  const origin = originOf(value);
  const type = Object.hasOwn(value, "type") ? (value as { type: unknown }).type : undefined;
  if (type === undefined) {
    return refuse(new TroupeError("invalid_message", { field: "type", detail: "type is missing." }), origin);
  }
  if (typeof type !== "string" || !isClientMessageType(type)) {
    return refuse(new TroupeError("unknown_type", { field: "type" }), origin);
  }
  const schema: z.ZodType<ClientMessage> = clientMessages[type];
  const parsed = schema.safeParse(value, { error: inPlainWords });
  if (parsed.success) {
    if (!isNamelessRetry(parsed.data)) return { ok: true, message: parsed.data };
    const detail = "data.retry needs an id beside it: only a named request can be retried.";
    return refuse(new TroupeError("invalid_message", { field: "data.retry", detail }), origin);
  }
  const { field, detail } = faultIn(parsed.error);
  return refuse(
    new TroupeError(
      "invalid_message",
      field === undefined ? { detail: `The message ${detail}.` } : { field, detail: `${field} ${detail}.` },
    ),
    origin,
  );
}

function isNamelessRetry({ id, data }: ClientMessage): boolean {
  return id === undefined && data !== undefined && "retry" in data && data.retry !== undefined;
}

function isClientMessageType(type: string): type is ClientMessageType {
  return Object.hasOwn(clientMessages, type);
}

function refuse(error: TroupeError, origin?: FrameOrigin): Decoded {
  return { ok: false, error, origin };
}

/** The frame's own type and id if they are short strings; other values are not worth echoing. */
function originOf(value: object): FrameOrigin | undefined {
  const { type, id } = value as { type?: unknown; id?: unknown };
  const origin = {
    ...(isEchoable(type) ? { type: type.toWellFormed() } : {}),
    ...(isEchoable(id) ? { id: id.toWellFormed() } : {}),
  };
  return Object.keys(origin).length === 0 ? undefined : origin;
}

/** The size of a JSON text, known before any of its values is created. */
interface JsonSurvey {
  /** Max nesting of arrays and objects; 1 for `{}`. */
  readonly depth: number;
  /** Members of all objects and items of all arrays together. */
  readonly values: number;
  /** Max members of one object. */
  readonly members: number;
  /** The text's own `type` and `id`, if it is an object and they are short strings. */
  readonly type?: string;
  readonly id?: string;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openArray = 0x5b;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const space = 0x20;
/** Marks an array: only members of objects are counted one by one. A small integer, because V8 boxes other numbers. */
const notCounted = -1;

/** Max token of a short string: quotes, and every character written as `\u0000`. */
const maxTokenChars = 12 * wireLimits.idChars + 2;

/**
 * Counts the values that `JSON.parse` would create, in one pass without allocating them: a megabyte of small objects takes fifty
 * megabytes when parsed. Text that is not JSON also gets some counts; `JSON.parse` refuses it later.
 */
export function surveyJson(text: string): JsonSurvey {
  let depth = 0;
  let deepest = 0;
  let values = 0;
  let widest = 0;
  /** Members so far of the object that is open at each depth; `notCounted` for an array. Deeper ones are refused for their depth. */
  const members: number[] = [];
  /** True directly after an opening bracket: the array or object may be empty. */
  let justOpened = false;
  /** Place of the last string at the outermost level, until its colon. */
  let nameAt = 0;
  let member: "type" | "id" | undefined;
  /** Start of the strings of these members; 0 for none. They are read once, at the end. */
  const places = { type: 0, id: 0 };

  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= space) continue;
    if (code === closeArray || code === closeObject) {
      depth -= 1;
      justOpened = false;
      continue;
    }
    if (justOpened || code === comma) {
      values += 1;
      const count = members[depth] ?? notCounted;
      if (count !== notCounted) {
        members[depth] = count + 1;
        if (count >= widest) widest = count + 1;
      }
    }
    justOpened = code === openArray || code === openObject;
    if (justOpened) {
      depth += 1;
      if (depth > deepest) deepest = depth;
      if (depth <= wireLimits.messageDepth) members[depth] = code === openObject ? 0 : notCounted;
    } else if (code === comma) {
      if (depth === 1) member = undefined;
    } else if (code === quote) {
      if (depth === 1) nameAt = at;
      if (depth === 1 && member !== undefined) places[member] = at;
      at = endOfString(text, at);
      if (at < 0) break;
    } else if (code === colon && depth === 1) {
      member = text.startsWith('"type"', nameAt)
        ? "type"
        : text.startsWith('"id"', nameAt)
          ? "id"
          : undefined;
      // A later member replaces an earlier one, even if its value is not a string.
      if (member !== undefined) places[member] = 0;
    }
  }
  const type = shortString(text, places.type);
  const id = shortString(text, places.id);
  return {
    depth: deepest,
    values,
    members: widest,
    ...(type === undefined ? {} : { type }),
    ...(id === undefined ? {} : { id }),
  };
}

/** The string that starts at `start`, if it is one and short enough to echo. */
function shortString(text: string, start: number): string | undefined {
  if (start === 0) return undefined;
  const end = endOfString(text, start) + 1;
  if (end === 0 || end - start > maxTokenChars) return undefined;
  try {
    const value: unknown = JSON.parse(text.slice(start, end));
    return isEchoable(value) ? value : undefined;
  } catch {
    // An escape unknown to JSON: the text is not JSON, so it has no type and no id.
    return undefined;
  }
}

/** The sentence that refuses a text of this size; `undefined` if it may be parsed. */
export function whyTooLarge({ depth, values, members }: JsonSurvey): string | undefined {
  if (depth > wireLimits.messageDepth) return "It is nested too deeply.";
  if (values > wireLimits.messageValues) return "It has too many values.";
  if (members > wireLimits.objectMembers) return "An object in it has too many members.";
  return undefined;
}

const backslash = 0x5c;
/** Characters of a string that are read one by one before V8 is asked for its end. */
const askAfterChars = 64;

/**
 * The place of the quote that ends the JSON string at `start`; -1 if there is none. In a long string V8 searches for the next quote, many
 * characters at a time. In a short string the call would cost more than it saves.
 */
export function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const stop = Math.min(at + askAfterChars, text.length);
    for (; at < stop; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) return at;
      if (code === backslash) at += 1;
    }
    const end = text.indexOf('"', at);
    if (end === -1) return -1;
    let backslashes = 0;
    while (end - backslashes > at && text.charCodeAt(end - backslashes - 1) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
    at = end + 1;
  }
  return -1;
}
