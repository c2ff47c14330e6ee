import { z } from "zod";
import { type ErrorCode, errorTable } from "./errors.ts";
import { laneRole } from "./fields.ts";

export const errorCode = z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]);

/** The position of a numbered message: its request and its place in that request's log. */
export const position = {
  request_id: z.string().describe("The client's `id`, or one the server made."),
  seq: z.int().min(1).describe("Place in the request's log, from 1."),
};
/** Marks the short form of a message that was too large; long values in it are empty. */
export const parts = {
  in_parts: z.int().min(2).optional().describe("The short form, after this many `part`s."),
};
export const reply = { id: z.string().optional().describe("The `id` of the frame that this answers.") };
const attempt = { retry: z.int(), delay_ms: z.number(), code: errorCode };
/** A failed attempt that is repeated, with `api` and `model` by another link of its chain. */
export const repeated = z
  .object({ ...attempt, api: z.string().optional(), model: z.string().optional() })
  .describe("Present if an attempt failed and is repeated.");
export const speech = { round: z.int().min(0).optional(), role: laneRole.optional() };
export const lane = {
  persona_id: z.string().optional().describe("The lane; absent for `openai_chat`."),
  ...speech,
};
export const simulated = z
  .literal(true)
  .optional()
  .describe("The built-in demonstration answered, no model.");

export const usage = z.object({
  input_tokens: z.int().min(0),
  cached_tokens: z.int().min(0).optional().describe("From the provider's prompt cache, if it tells."),
  cache_write_tokens: z.int().min(0).optional().describe("Written to that cache."),
  output_tokens: z.int().min(0),
  reasoning_tokens: z.int().min(0).optional().describe("Included in the output."),
  total_tokens: z.int().min(0),
  estimated: z.boolean().describe("Counted from characters."),
});

/** Money for `usage`. */
export const cost = z.object({
  usd: z.number().min(0),
  approximate: z.boolean().describe("By a similar price, or without a part that has none."),
  partial: z.literal(true).optional().describe("Without calls of unknown price."),
});
const told = { cost: cost.nullable().optional().describe("`null`: unknown, not free.") };

export const failure = z.object({
  code: errorCode,
  message: z.string(),
  retryable: z.boolean(),
  retry_after_ms: z.int().min(0).optional(),
});

export const finishReason = z.enum(["stop", "length", "content_filter", "tool_calls", "budget", "cancelled"]);

/** The effect of a cancel upstream. */
export const cancelReport = z.object({
  upstream_closed: z.boolean().describe("The upstream call is closed."),
  closed_in_ms: z.number().min(0).describe("Since the cancel arrived."),
});

export const publicPersona = z.object({ id: z.string(), name: z.string(), description: z.string() });

/** One persona's answer. */
export const personaAnswer = {
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
  ...told,
  error: failure.optional(),
  cancel: cancelReport.optional(),
  simulated,
};

export const openaiChatData = z.looseObject({
  output_text: z.string(),
  api: z.string().optional().describe("The fallback that answered."),
  finish_reason: finishReason,
  cost: cost.nullable().optional(),
  simulated,
  cancel: cancelReport.optional(),
});

export const chatData = z.object({
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
  ...told,
  cancel: cancelReport.optional(),
  simulated,
});

export const multiChatData = z.object({
  responses: z.array(z.object(personaAnswer)),
  combined: z.string().describe("All answers under their names, in the order of `persona_ids`."),
  outcome: z.enum(["complete", "degraded"]),
  conversation_id: z.string(),
  finish_reason: finishReason,
  usage: usage.optional(),
  ...told,
  cancel: cancelReport.optional(),
  simulated,
});

export function response<T extends string, D extends z.ZodType>(requestType: T, data: D) {
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
