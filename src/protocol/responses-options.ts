import { z } from "zod";
import { responseId, temperature, tokenLimit } from "./fields.ts";

const json = z.json();
const jsonObject = z.record(z.string(), json);

/**
 * Further parameters of the Responses API that `openai_chat` passes on from `data.options`. Unknown names are refused, so that a
 * misspelt one is not lost in silence. A type test holds this schema against the SDK's own parameter type.
 */
export const responsesOptions = z
  .strictObject({
    background: z.boolean(),
    context_management: z.array(jsonObject),
    conversation: z.union([responseId, z.strictObject({ id: responseId })]),
    include: z.array(z.string().max(128)).max(32),
    instructions: z.string().max(1_000_000),
    max_output_tokens: tokenLimit,
    max_tool_calls: z.number().int().min(1).max(10_000),
    metadata: z.record(z.string().max(64), z.string().max(512)),
    parallel_tool_calls: z.boolean(),
    prompt: jsonObject,
    prompt_cache_key: z.string().max(1024),
    prompt_cache_retention: z.enum(["in_memory", "24h"]),
    reasoning: jsonObject,
    safety_identifier: z.string().max(256),
    service_tier: z.enum(["auto", "default", "flex", "scale", "priority"]),
    store: z.boolean(),
    temperature,
    text: jsonObject,
    tool_choice: z.union([z.enum(["none", "auto", "required"]), jsonObject]),
    top_logprobs: z.number().int().min(0).max(20),
    top_p: z.number().min(0).max(1),
    truncation: z.enum(["auto", "disabled"]),
    user: z.string().max(256),
  })
  .partial();

export type ResponsesOptions = z.infer<typeof responsesOptions>;
