import type { z } from "zod";
import { type ClientMessage, type ClientMessageType, clientMessages } from "./client-messages.ts";
import { TroupeError } from "./errors.ts";
import { wireLimits } from "./limits.ts";

/** What could be recognised of a frame, so that its error can be told apart. */
export interface FrameOrigin {
  readonly type?: string;
  readonly id?: string;
}

export type Decoded =
  | { readonly ok: true; readonly message: ClientMessage }
  | { readonly ok: false; readonly error: TroupeError; readonly origin: FrameOrigin | undefined };

/**
 * The one function in which a client's text becomes a message.
 *
 * Never throws. Errors: `invalid_json`, `unknown_type`, `invalid_message` (with the field's path).
 */
export function decodeClientMessage(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return refuse(new TroupeError("invalid_json", { cause }));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(new TroupeError("invalid_message", { detail: "A message is a JSON object." }));
  }
  const origin = originOf(value);
  if (!isShallow(value, wireLimits.messageDepth)) {
    return refuse(new TroupeError("invalid_message", { detail: "It is nested too deeply." }), origin);
  }
  const type = Object.hasOwn(value, "type") ? (value as { type: unknown }).type : undefined;
  if (type === undefined) {
    return refuse(new TroupeError("invalid_message", { field: "type", detail: "type is missing." }), origin);
  }
  if (typeof type !== "string" || !isClientMessageType(type)) {
    return refuse(new TroupeError("unknown_type", { field: "type" }), origin);
  }
  const schema: z.ZodType<ClientMessage> = clientMessages[type];
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  return refuse(invalidMessage(parsed.error), origin);
}

function isClientMessageType(type: string): type is ClientMessageType {
  return Object.hasOwn(clientMessages, type);
}

function refuse(error: TroupeError, origin?: FrameOrigin): Decoded {
  return { ok: false, error, origin };
}

/** The frame's own type and id where they are short strings; anything else is not worth echoing. */
function originOf(value: object): FrameOrigin | undefined {
  const { type, id } = value as { type?: unknown; id?: unknown };
  const origin = {
    ...(isEchoable(type) ? { type: type.toWellFormed() } : {}),
    ...(isEchoable(id) ? { id: id.toWellFormed() } : {}),
  };
  return Object.keys(origin).length === 0 ? undefined : origin;
}

function isEchoable(value: unknown): value is string {
  return typeof value === "string" && value.length <= wireLimits.idChars;
}

/** The first issue, as a path and a sentence that quotes nothing the client sent. */
function invalidMessage(error: z.ZodError): TroupeError {
  const issue = deepest(error.issues[0]);
  if (issue === undefined) return new TroupeError("invalid_message");
  const path = issue.path.map(String);
  const unknownKey = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  if (unknownKey !== undefined && isEchoable(unknownKey)) path.push(unknownKey.toWellFormed());
  const field = path.join(".").slice(0, 512);
  const detail = unknownKey === undefined ? issue.message : "This field is not known here.";
  return new TroupeError(
    "invalid_message",
    field === "" ? { detail } : { field, detail: `${field}: ${detail}` },
  );
}

type Issue = z.core.$ZodIssue;

/** Looks into a union for the branch that came furthest, since "invalid input" alone helps nobody. */
function deepest(issue: Issue | undefined): Issue | undefined {
  if (issue?.code !== "invalid_union") return issue;
  const candidates = issue.errors.map((branch) => branch[0]).filter((inner) => inner !== undefined);
  const best = candidates.sort((a, b) => b.path.length - a.path.length)[0];
  if (best === undefined || best.path.length === 0) return issue;
  return deepest({ ...best, path: [...issue.path, ...best.path] });
}

/** Whether no value lies deeper than `depth`; iterative, since the input may be nested as deeply as its bytes allow. */
function isShallow(root: object, depth: number): boolean {
  let level: object[] = [root];
  for (let left = depth; level.length > 0; left -= 1) {
    if (left === 0) return false;
    const next: object[] = [];
    for (const value of level) {
      for (const child of Object.values(value)) {
        if (typeof child === "object" && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return true;
}
