import { z } from "zod";
import {
  api,
  conversationId,
  fallbackLink,
  list,
  member,
  model,
  onDisconnect,
  onInterrupt,
  optional,
  pacing,
  personaId,
  requestId,
  requestIdOrStart,
  responseId,
  seqOfError,
  temperature,
  text,
  tokenBudget,
  tokenLimit,
  tool,
} from "./fields.ts";
import { inputItems } from "./input-items.ts";
import { wireLimits } from "./limits.ts";
import { openaiChatOptions } from "./responses-options.ts";

/** Fields that every request for an answer may have. */
const requestFields = {
  api: optional(api).describe("Which provider answers. Default: the server's."),
  model: optional(model).describe("Which model answers. Default: the server's."),
  fallback: optional(list(fallbackLink, { max: wireLimits.fallbackLinks })).describe(
    "Answer in its place if a call fails. Default: the server's.",
  ),
  budget_tokens: optional(tokenBudget).describe(
    "Max tokens of the request, input and output of all its lanes together.",
  ),
  include_sources: optional(z.boolean()).describe("Send sources. Default false."),
  include_usage: optional(z.boolean()).describe("Send running usage. Default false."),
  pacing: optional(pacing).describe("How the text is cut and timed. Default: the server's, `natural`."),
  on_disconnect: optional(onDisconnect).describe(
    "If the socket drops: `finish`, `cancel`, or milliseconds without a follower until the request is cancelled. Default: `finish` with an `id`, 10000 without.",
  ),
  retry: optional(seqOfError).describe(
    "Runs the request again: the `seq` of the retryable `error` that ended it.",
  ),
  on_interrupt: optional(onInterrupt).describe(
    "If the server stops in the middle: `error` ends the request as `interrupted`, `restart` answers the cut-off lanes again. Default `error`.",
  ),
};

const personaFields = {
  message: text.describe("The user's text."),
  temperature: optional(temperature).describe("0 to 2. Default: the provider's."),
  max_tokens: optional(tokenLimit).describe("Max tokens of each answer. Default: the provider's."),
  conversation_id: optional(z.union([z.literal("new"), conversationId])).describe(
    "The conversation to continue. Default: the socket's own. `new` begins another, which becomes the socket's own.",
  ),
};

/** A place in a request's numbered messages: after the one of this `seq`. */
const position = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

function message<T extends string, D extends z.ZodRawShape>(type: T, data: D) {
  return messageOf(type, z.object(data));
}

function messageOf<T extends string, D extends z.ZodType>(type: T, data: D) {
  return z.object({
    type: z.literal(type),
    id: optional(requestId).describe("Names the message; a request with an `id` can be resumed."),
    data,
  });
}

/** States in the published schema a rule of the decoder: the question is a text, or items. */
const oneQuestion = {
  oneOf: [
    { required: ["input_text"], properties: { input_text: { type: "string" } } },
    { required: ["input"], properties: { input: { type: "array" } } },
  ],
};

/** States in the published schema a rule of the decoder: a retry names its request. */
const retryNeedsId = {
  if: {
    required: ["data"],
    properties: { data: { required: ["retry"], properties: { retry: { type: "integer" } } } },
  },
  // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema.
  then: { required: ["id"], properties: { id: { type: "string" } } },
};

const openaiChatData = z
  .object({
    input_text: optional(text).describe("The user's text, unless there is `input`."),
    input: optional(inputItems).describe("Items of the Responses API instead."),
    previous_response_id: optional(responseId).describe(
      "The `id` of an own response that this one continues.",
    ),
    tools: optional(list(tool, { max: wireLimits.tools })).describe("Tools in the Responses API's own form."),
    include_reasoning: optional(z.boolean()).describe(
      "Stream a summary of the model's reasoning. Default false.",
    ),
    options: optional(openaiChatOptions).describe(
      "Further parameters of the Responses API, by their own names; unknown ones are refused.",
    ),
    ...requestFields,
  })
  .refine(({ input_text, input }) => input_text !== undefined || input !== undefined, {
    path: ["input_text"],
    error: "is missing",
    // Also if another field is at fault.
    when: ({ value }) => typeof value === "object" && value !== null,
  })
  .refine(({ input_text, input }) => input_text === undefined || input === undefined, {
    path: ["input"],
    error: "must be left out beside data.input_text",
  })
  .meta(oneQuestion);

/** Every message that a client sends, by its type. */
export const clientMessages = {
  openai_chat: messageOf("openai_chat", openaiChatData)
    .meta(retryNeedsId)
    .describe("Asks a model through the OpenAI Responses API."),
  chat: message("chat", {
    ...personaFields,
    persona_id: personaId.describe("The persona that answers."),
    ...requestFields,
  })
    .meta(retryNeedsId)
    .describe("Asks one persona."),
  multi_chat: message("multi_chat", {
    ...personaFields,
    persona_ids: list(personaId, { min: 1, max: wireLimits.personas }).describe(
      "The personas that answer, all at the same time; each once.",
    ),
    members: optional(list(member, { max: wireLimits.personas })).describe(
      "Choices for single personas, before the request's.",
    ),
    stream: optional(z.boolean()).describe("`false` leaves the chunks out. Default true."),
    ...requestFields,
  })
    .meta(retryNeedsId)
    .describe("Asks several personas at once."),
  cancel: message("cancel", {
    request_id: requestId.describe("The request to stop."),
    persona_id: optional(personaId).describe("Stop only this persona."),
  }).describe("Stops a request, or one of its lanes, and its upstream calls."),
  resume: message("resume", {
    request_id: requestId.describe("The request to follow."),
    after_seq: position.describe("The last `seq` that was seen; 0 for all."),
  }).describe("Follows a request from a position: first the missed messages, then live."),
  follow: message("follow", {
    conversation_id: conversationId.describe("The conversation to follow."),
    after: optional(requestIdOrStart).describe(
      "A request of it: later requests come first, also ended ones. Empty: from the first one. Default: only running and future requests.",
    ),
    after_seq: optional(position).describe(
      "The last `seq` that was seen of the request `after`: the rest of it comes first.",
    ),
  }).describe("Follows a conversation: its running requests and every later one."),
  unfollow: message("unfollow", {
    conversation_id: conversationId.describe("The conversation to follow no longer."),
  }).describe("Ends a `follow`, also for the requests that came through it."),
  ping: z
    .object({
      type: z.literal("ping"),
      id: optional(requestId).describe("Comes back in the `pong`."),
      data: optional(z.object({})),
    })
    .describe("Asks for a `pong`, because browsers can't send WebSocket pings."),
} as const;

export type ClientMessageType = keyof typeof clientMessages;

type Messages = { [T in ClientMessageType]: z.output<(typeof clientMessages)[T]> };

/** A decoded client message. */
export type ClientMessage = Messages[ClientMessageType];
export type OpenaiChatMessage = Messages["openai_chat"];
export type ChatMessage = Messages["chat"];
export type MultiChatMessage = Messages["multi_chat"];
/** The three messages that ask for an answer. */
export type RequestMessage = OpenaiChatMessage | ChatMessage | MultiChatMessage;
export type CancelMessage = Messages["cancel"];
export type ResumeMessage = Messages["resume"];
export type UnfollowMessage = Messages["unfollow"];
export type FollowMessage = Messages["follow"];
export type PingMessage = Messages["ping"];

/** The messages that a client writes: optional fields may be left out. */
export type ClientMessageInput = {
  [T in ClientMessageType]: z.input<(typeof clientMessages)[T]>;
}[ClientMessageType];
