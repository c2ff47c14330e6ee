import { z } from "zod";
import { wireLimits } from "./limits.ts";

/** Written as escapes that every dialect of regular expressions has: the patterns are published. */
const controls = "\\u0000-\\u001f\\u007f-\\u009f";

/** An optional field that may also be sent as `null`, as many clients write what they leave out. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/**
 * An array of `min` to `max` items. A longer one is refused before its items are looked at: zod keeps an issue of a kilobyte for
 * each faulty item.
 */
export function list<T extends z.ZodType>(
  item: T,
  { min = 0, max }: { readonly min?: number; readonly max: number },
) {
  const refuseLonger = (value: z.input<T>[], context: z.RefinementCtx) => {
    if (!Array.isArray(value) || value.length <= max) return value;
    context.addIssue({ code: "too_big", origin: "array", maximum: max, inclusive: true, input: value });
    return z.NEVER;
  };
  const items = z.array(item).max(max);
  return z.preprocess(refuseLonger, min === 0 ? items : items.min(min));
}

/** An object of at most `max` members with names and values of any choice. A larger one is refused before its members are looked at. */
export function pairs<K extends z.ZodType<string, string>, V extends z.ZodType>(
  key: K,
  value: V,
  max: number,
) {
  const refuseLarger = (given: Record<string, z.input<V>>, context: z.RefinementCtx) => {
    if (typeof given !== "object" || given === null || Object.keys(given).length <= max) return given;
    context.addIssue({ code: "too_big", origin: "object", maximum: max, inclusive: true, input: given });
    return z.NEVER;
  };
  return z.preprocess(refuseLarger, z.record(key, value).meta({ maxProperties: max }));
}

/** An object of the vendor's own. Its contents go on as they came: nothing in them is copied or looked at. */
export const vendorObject = z.looseObject({});

/** Text to a model, which has words: many models refuse one of white space only. Lone surrogates are replaced, since no encoding can carry them. */
export const text = z
  .string()
  .min(1)
  .max(wireLimits.textChars)
  .regex(/\S/, "it needs more than white space")
  .overwrite((value) => value.toWellFormed());

/**
 * A name that somebody else made. It means nothing here, and so all that is limited is its length, in characters, and that it has no
 * control characters and no half of a surrogate pair, which no encoding can carry.
 */
export function opaqueName(maxChars: number) {
  const form = new RegExp(`^[^${controls}\\ud800-\\udfff]{1,${maxChars}}$`, "u");
  return z.string().regex(form, `1 to ${maxChars} characters, none of them a control character`);
}

export const requestId = opaqueName(wireLimits.idChars);
export const personaId = opaqueName(wireLimits.idChars);
export const conversationId = opaqueName(wireLimits.idChars);
/** Model names as vendors and files have them: `gpt-4o-mini`, `ft:gpt-4o:org::id`, `llama3.2:3b`, `/models/Qwen3 8B.gguf`. */
export const model = opaqueName(wireLimits.modelChars);
/** The name under which a server has a provider. */
export const api = opaqueName(wireLimits.apiChars);
export const temperature = z.number().min(0).max(2);
export const tokenLimit = z.number().int().min(1).max(1_000_000);
/** Tokens of a whole request: input and output of all its lanes. */
export const tokenBudget = z.number().int().min(1).max(1_000_000_000);
/** A place in a request's log at which an error ended it. */
export const seqOfError = z.number().int().min(1).max(1_000_000_000);
export const responseId = opaqueName(wireLimits.vendorIdChars);

/** An upstream tool; everything but its type is the vendor's business. */
export const tool = z.looseObject({ type: z.string().min(1).max(64) });

/** How an answer's text is cut and timed; see PROTOCOL.md, Pacing. */
export const pacing = z.strictObject({
  mode: optional(z.enum(["natural", "fixed", "raw"])).describe("The rhythm."),
  chunk_chars: optional(z.number().int().min(1).max(4096)).describe(
    "Max code points of a chunk. Default 50 for `openai_chat`, 30 for personas.",
  ),
  interval_ms: optional(z.number().min(10).max(10_000)).describe("Time between two chunks. Default 100."),
  max_lag_ms: optional(z.number().min(0).max(60_000)).describe("How late a text may be shown. Default 400."),
});

/** What a server that ends in the middle of the request means for it: it ends with an error, or is answered anew. */
export const onInterrupt = z.enum(["error", "restart"]);

/** What a dropped socket means for the request: run on, stop, or stop after so many milliseconds without a follower. */
export const onDisconnect = z.union([z.enum(["finish", "cancel"]), z.number().int().min(0).max(3_600_000)]);
