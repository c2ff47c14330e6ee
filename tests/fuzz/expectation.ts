import type { ClientMessage } from "../../src/protocol/client-messages.ts";
import { decodeClientMessage, type FrameOrigin } from "../../src/protocol/decode.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import type { Frame } from "./frame.ts";

/** The required answer to a frame: a certain refusal, or the reaction to its message. */
export type Expectation =
  | {
      readonly type: "refusal";
      readonly code: ErrorCode;
      readonly field: string | undefined;
      readonly origin: FrameOrigin | undefined;
    }
  | { readonly type: "message"; readonly message: ClientMessage };

/** Uses the server's own decoder, which has tests of its own. */
export function expectationOf({ bytes, binary }: Frame): Expectation {
  if (binary) return { type: "refusal", code: "binary_not_supported", field: undefined, origin: undefined };
  const decoded = decodeClientMessage(Buffer.from(bytes).toString("utf8"));
  if (decoded.ok) return { type: "message", message: decoded.message };
  const { error, origin } = decoded;
  return { type: "refusal", code: error.code, field: error.field, origin };
}

/** Refusals of the frame itself. All other refusals come when the message is acted on. */
const decoding: ReadonlySet<ErrorCode> = new Set([
  "invalid_json",
  "invalid_message",
  "unknown_type",
  "binary_not_supported",
]);

type ErrorMessage = Extract<ServerMessage, { type: "error" }>;

/**
 * Whether the reply may be the direct answer to the frame: a refusal, a pong, or the news that it is followed. `isKnown`
 * says whether a request exists, and `mayBeForgotten` whether it may be too old to be kept.
 */
export function answers(
  reply: ServerMessage,
  expectation: Expectation,
  isKnown: (requestId: string) => boolean,
  mayBeForgotten: (requestId: string) => boolean = () => false,
): boolean {
  if (expectation.type === "refusal") {
    if (reply.type !== "error") return false;
    return (
      reply.code === expectation.code &&
      reply.field === expectation.field &&
      sameOrigin(reply, expectation.origin)
    );
  }
  const { message } = expectation;
  if (reply.type === "pong") return message.type === "ping" && reply.id === message.id;
  if (reply.type === "following")
    return message.type === "follow" && reply.conversation_id === message.data.conversation_id;
  if (reply.type === "unfollowed")
    return message.type === "unfollow" && reply.conversation_id === message.data.conversation_id;
  if (reply.type === "cancelling")
    return message.type === "cancel" && reply.request_id === message.data.request_id;
  if (reply.type !== "error" || message.type === "ping") return false;
  // The schema cannot say that one field needs another.
  const needsMore = message.type === "follow" && message.data.after_seq !== undefined && !message.data.after;
  if (needsMore) return reply.code === "invalid_message" && sameOrigin(reply, message);
  if (decoding.has(reply.code)) return false;
  if (message.type === "cancel" || message.type === "resume") {
    const { request_id: id } = message.data;
    if ((reply.code === "request_not_found") === isKnown(id) && !mayBeForgotten(id)) return false;
  }
  return sameOrigin(reply, message);
}

function sameOrigin(
  reply: ErrorMessage,
  origin: { readonly type?: string; readonly id?: string | undefined } | undefined,
): boolean {
  return reply.in_reply_to?.type === origin?.type && reply.in_reply_to?.id === origin?.id;
}

/** Whether the message may have no direct answer, because the messages of its request show that it was accepted. */
export function mayBeSilent(expectation: Expectation, isKnown: (requestId: string) => boolean): boolean {
  if (expectation.type === "refusal") return false;
  const { message } = expectation;
  if (message.type === "cancel" || message.type === "resume") return isKnown(message.data.request_id);
  return isAsk(message);
}

export function isAsk({ type }: ClientMessage): boolean {
  return type === "openai_chat" || type === "chat" || type === "multi_chat";
}

/** Requests without an id are refused when it is their turn, after answers to later frames. */
export function isLateRefusal(reply: ServerMessage): boolean {
  return (
    reply.type === "error" &&
    reply.seq === undefined &&
    !decoding.has(reply.code) &&
    reply.in_reply_to?.id === undefined &&
    /^(openai_chat|multi_chat|chat)$/.test(reply.in_reply_to?.type ?? "")
  );
}
