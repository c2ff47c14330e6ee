import type { z } from "zod";
import { type ClientMessage, type ClientMessageType, clientMessages } from "./client-messages.ts";
import { TroupeError } from "./errors.ts";
import { faultIn, inPlainWords } from "./fault-in.ts";
import { isEchoable, surveyJson, whyTooLarge } from "./scan-json.ts";

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
