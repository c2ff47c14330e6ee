import { z } from "zod";
import {
  chatData,
  errorCode,
  lane,
  multiChatData,
  openaiChatData,
  parts,
  personaAnswer,
  position,
  repeated,
  reply,
  response,
  simulated,
  speech,
  usage,
} from "./message-fields.ts";

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
      detail: repeated.optional(),
      ignored: z.array(z.string()).optional().describe("With `completed`: parameters that were left out."),
      usage: usage.optional().describe("The lane's so far."),
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
  source: z
    .object({
      type: z.literal("source"),
      index: z.int().min(0),
      url: z.string(),
      title: z.string().optional(),
      places: z
        .array(z.object({ start: z.int().min(0), end: z.int().min(0) }))
        .optional()
        .describe("In UTF-16 units."),
      ...lane,
      ...position,
    })
    .describe("A source of a lane's answer."),
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
        .describe("Present if lanes start again: the shown text of the named lanes only is void."),
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
  serverMessages.source,
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
