import { z } from "zod";
import { type ErrorCode, errorTable } from "./errors.ts";
import { laneRole } from "./fields.ts";

const errorCode = z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]);

/** The position of a numbered message: its request and its place in that request's log. */
const position = {
  request_id: z.string().describe("The request: the client's `id`, or one the server made."),
  seq: z.int().min(1).describe("Place in the request's log, from 1."),
};
/** Marks the short form of a message that was too large; long values in it are empty. */
const parts = {
  in_parts: z
    .int()
    .min(2)
    .optional()
    .describe("This is the short form: the whole message came before it in this many `part`s."),
};
const reply = { id: z.string().optional().describe("The `id` of the frame that this answers.") };
const speech = { round: z.int().min(0).optional(), role: laneRole.optional() };
const lane = { persona_id: z.string().optional().describe("The lane; absent for `openai_chat`."), ...speech };
const simulated = z
  .literal(true)
  .optional()
  .describe("Present if no model was called: the built-in demonstration answered.");

export const usage = z.object({
  input_tokens: z.int().min(0),
  cached_tokens: z
    .int()
    .min(0)
    .optional()
    .describe("Input tokens from the provider's prompt cache; absent if the provider gives no figure."),
  output_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
  estimated: z.boolean().describe("Counted from characters, because the provider gave no figure."),
});

export const failure = z.object({
  code: errorCode,
  message: z.string(),
  retryable: z.boolean(),
  retry_after_ms: z.int().min(0).optional(),
});

export const finishReason = z.enum(["stop", "length", "content_filter", "tool_calls", "budget", "cancelled"]);

/** The effect of a cancel upstream. */
export const cancelReport = z.object({
  upstream_closed: z.boolean().describe("Nothing of the upstream call is still open."),
  closed_in_ms: z.number().min(0).describe("From the cancel's arrival to the upstream connection's end."),
});

export const publicPersona = z.object({ id: z.string(), name: z.string(), description: z.string() });

/** One persona's answer. */
const personaAnswer = {
  persona_id: z.string(),
  ...speech,
  response: z.string().describe("The text so far; empty if none came."),
  index: z.int().min(0).describe("Place in `persona_ids`."),
  status: z.enum(["completed", "failed", "cancelled"]),
  finish_reason: finishReason.optional(),
  persona: publicPersona,
  message_id: z.string().optional().describe("The stored message; absent if nothing was said."),
  model: z.string(),
  api: z.string(),
  usage: usage.optional(),
  error: failure.optional(),
  cancel: cancelReport.optional(),
  simulated,
};

const openaiChatData = z.looseObject({
  output_text: z.string(),
  finish_reason: finishReason,
  simulated,
  cancel: cancelReport.optional(),
});

const chatData = z.object({
  response: z.string(),
  persona: publicPersona,
  persona_id: z.string(),
  ...speech,
  conversation_id: z.string(),
  message_id: z.string().optional(),
  model: z.string(),
  api: z.string(),
  finish_reason: finishReason,
  usage: usage.optional(),
  cancel: cancelReport.optional(),
  simulated,
});

const multiChatData = z.object({
  responses: z.array(z.object(personaAnswer)),
  combined: z.string().describe("All answers under their names, in the order of `persona_ids`."),
  outcome: z.enum(["complete", "degraded"]),
  conversation_id: z.string(),
  finish_reason: finishReason,
  usage: usage.optional(),
  cancel: cancelReport.optional(),
  simulated,
});

function response<T extends string, D extends z.ZodType>(requestType: T, data: D) {
  return z.object({
    type: z.literal("response"),
    status: z.enum(["completed", "cancelled"]),
    message: z.string(),
    request_type: z.literal(requestType),
    finish_reason: finishReason,
    error: failure.optional().describe("The answer does not fit its schema."),
    data,
    ...position,
    ...parts,
  });
}

/** Every message that the server sends, by its type. */
export const serverMessages = {
  status: z
    .object({
      type: z.literal("status"),
      status: z.enum(["starting", "processing", "streaming", "completed"]),
      message: z.string(),
      ...lane,
      conversation_id: z
        .string()
        .optional()
        .describe("With `starting`: the conversation of a `chat` or `multi_chat`."),
      detail: z
        .object({ retry: z.int(), delay_ms: z.number(), code: errorCode })
        .optional()
        .describe("Present if an attempt failed and is repeated."),
      simulated,
      ...position,
    })
    .describe("A lane changed its state."),
  chunk: z
    .object({
      type: z.literal("chunk"),
      chunk: z.string(),
      is_final: z.boolean().describe("True once per started lane, on its last chunk, which may be empty."),
      ...lane,
      ...position,
    })
    .describe("A piece of a lane's text."),
  reasoning: z
    .object({ type: z.literal("reasoning"), text: z.string(), ...lane, ...position, ...parts })
    .describe("A piece of the summary of a model's reasoning."),
  tool: z
    .object({
      type: z.literal("tool"),
      tool: z.string(),
      status: z.string(),
      call_id: z.string().describe("The call's own id, or the item's if it has none."),
      payload: z.looseObject({}).optional().describe("The provider's own item."),
      ...lane,
      ...position,
      ...parts,
    })
    .describe("A tool call of the model changed its state."),
  persona_response: z
    .object({ type: z.literal("persona_response"), ...personaAnswer, ...position, ...parts })
    .describe("One persona of a `multi_chat` has ended."),
  response: z
    .discriminatedUnion("request_type", [
      response("openai_chat", openaiChatData),
      response("chat", chatData),
      response("multi_chat", multiChatData),
    ])
    .describe("Ends a request: the whole answer."),
  error: z
    .object({
      type: z.literal("error"),
      status: z.literal("error"),
      code: errorCode,
      message: z.string(),
      retryable: z.boolean(),
      retry_after_ms: z.int().min(0).optional(),
      field: z.string().optional().describe("The client field at fault, as a path."),
      in_reply_to: z
        .object({ type: z.string().optional(), id: z.string().optional() })
        .optional()
        .describe("Without `seq`: the recognised type and id of the frame that this answers."),
      ...lane,
      conversation_id: z
        .string()
        .optional()
        .describe("Without `seq`: the conversation that the frame named."),
      request_id: position.request_id
        .optional()
        .describe("Without `seq`: the request that the frame asked or named."),
      seq: position.seq.optional(),
    })
    .describe(
      "With `seq` it ends a request, with `in_reply_to` it answers a frame; with neither the end of a request could not be stored.",
    ),
  resumed: z
    .object({
      type: z.literal("resumed"),
      request_id: z.string(),
      head_seq: z.int().min(0).describe("The newest `seq` at this moment."),
      state: z.enum(["running", "ended"]),
      conversation_id: z.string().optional().describe("Of a `chat` or `multi_chat`."),
      ...reply,
    })
    .describe("Answers `resume`; the missed messages follow."),
  cancelling: z
    .object({
      type: z.literal("cancelling"),
      request_id: z.string(),
      persona_id: z.string().optional().describe("The lane to stop, if only one."),
      ...reply,
    })
    .describe("Answers `cancel`. Everyone who follows the request gets the end itself."),
  reset: z
    .object({
      type: z.literal("reset"),
      request_id: z.string(),
      seq: position.seq
        .optional()
        .describe(
          "Present if lanes start again: the shown text of the named lanes, and of no other, is void.",
        ),
      through_seq: z
        .int()
        .min(0)
        .optional()
        .describe(
          "Present if the log was trimmed: `lanes` has all lanes' text, for every event up to this one.",
        ),
      lanes: z.array(z.object({ persona_id: z.string().optional(), ...speech, text: z.string() })),
      ...parts,
    })
    .describe("Drop the shown text of the named lanes, or of the whole request; their text is this."),
  following: z
    .object({
      type: z.literal("following"),
      conversation_id: z.string(),
      running: z.array(z.string()).describe("Ids of the requests that run now, at most 1,000."),
      last_request_id: z
        .string()
        .optional()
        .describe("The request that was asked last: the `after` of a later `follow`."),
      ...reply,
    })
    .describe("Answers `follow`."),
  unfollowed: z
    .object({ type: z.literal("unfollowed"), conversation_id: z.string(), ...reply })
    .describe("Answers `unfollow`."),
  question: z
    .object({
      type: z.literal("question"),
      conversation_id: z.string(),
      request_id: z.string(),
      request_type: z.enum(["chat", "multi_chat"]),
      message: z.string(),
      persona_ids: z.array(z.string()),
      ...parts,
    })
    .describe(
      "To followers of a conversation: a new request's question; its messages follow from the first.",
    ),
  part: z
    .object({
      type: z.literal("part"),
      request_id: z.string(),
      json: z.string().describe("The next piece of the message's JSON text."),
    })
    .describe("A piece of a message of this request that is too large; its short form follows the last one."),
  pong: z.object({ type: z.literal("pong"), ...reply }).describe("Answers `ping`."),
} as const;

export type ServerMessageType = keyof typeof serverMessages;
export type ServerMessages = { [T in ServerMessageType]: z.output<(typeof serverMessages)[T]> };
/** A message from the server. */
export type ServerMessage = ServerMessages[ServerMessageType];

/** The schema of any server message, for clients that check messages and for the published JSON Schema. */
export const serverMessage = z.discriminatedUnion("type", [
  serverMessages.status,
  serverMessages.chunk,
  serverMessages.reasoning,
  serverMessages.tool,
  serverMessages.persona_response,
  serverMessages.response,
  serverMessages.error,
  serverMessages.resumed,
  serverMessages.cancelling,
  serverMessages.reset,
  serverMessages.following,
  serverMessages.unfollowed,
  serverMessages.question,
  serverMessages.part,
  serverMessages.pong,
]);
