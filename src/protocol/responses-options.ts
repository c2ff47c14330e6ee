import { z } from "zod";
import {
  list,
  opaqueName,
  optional,
  pairs,
  responseId,
  temperature,
  textOrList,
  tokenLimit,
  vendorObject,
} from "./fields.ts";
import { wireLimits } from "./limits.ts";

/** A vendor's word, such as a tier or a choice. Not a fixed list, because vendors add words and use them in answers. */
const vendorWord = opaqueName(64);

/**
 * Further parameters of the Responses API that `openai_chat` passes on from `data.options`. Unknown names are refused, so that a misspelt
 * one is not silently lost. A type test compares this schema with the SDK's own parameter type.
 */
export const responsesOptions = z.strictObject({
  background: optional(z.boolean()),
  context_management: optional(list(vendorObject, { max: wireLimits.contextManagement })),
  conversation: optional(z.union([responseId, z.looseObject({ id: responseId })])),
  include: optional(list(z.string().max(128), { max: 32 })),
  instructions: optional(z.string().max(1_000_000)),
  max_output_tokens: optional(tokenLimit),
  max_tool_calls: optional(z.number().int().min(1).max(10_000)),
  metadata: optional(pairs(z.string().max(64), z.string().max(512), wireLimits.metadataPairs)),
  parallel_tool_calls: optional(z.boolean()),
  prompt: optional(vendorObject),
  prompt_cache_key: optional(z.string().max(1024)),
  prompt_cache_retention: optional(vendorWord),
  reasoning: optional(vendorObject),
  safety_identifier: optional(z.string().max(256)),
  service_tier: optional(vendorWord),
  store: optional(z.boolean()),
  temperature: optional(temperature),
  text: optional(vendorObject),
  tool_choice: optional(z.union([vendorWord, vendorObject])),
  top_logprobs: optional(z.number().int().min(0).max(20)),
  top_p: optional(z.number().min(0).max(1)),
  truncation: optional(vendorWord),
  user: optional(z.string().max(256)),
});

const stopText = z
  .string()
  .min(1)
  .max(256)
  .overwrite((value) => value.toWellFormed());

/** States in the published schema a rule of the decoder: the form of the answer is asked for in one way. */
const oneForm = {
  not: {
    required: ["response_format", "text"],
    properties: {
      response_format: { type: "object" },
      text: { type: "object", required: ["format"], properties: { format: { not: { type: "null" } } } },
    },
  },
};

/** The options of `openai_chat`: those of the Responses API, and words of Chat Completions that are translated. */
export const openaiChatOptions = responsesOptions
  .extend({
    response_format: optional(vendorObject),
    stop: optional(textOrList(stopText, stopText, { min: 1, max: wireLimits.stops })),
  })
  .refine(({ response_format, text }) => response_format === undefined || text?.format == null, {
    path: ["response_format"],
    error: "must be left out beside data.options.text.format",
  })
  .meta(oneForm);

export type OpenaiChatOptions = z.infer<typeof openaiChatOptions>;
export type ResponsesOptions = z.infer<typeof responsesOptions>;
