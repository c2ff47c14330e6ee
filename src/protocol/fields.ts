import { z } from "zod";
import { wireLimits } from "./limits.ts";

/** Written as escapes of every regular expression dialect, because the patterns are published. */
const controls = "\\u0000-\\u001f\\u007f-\\u009f";

/** An optional field that may also be `null`, which many clients write for an absent value. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/**
 * An array of `min` to `max` items. A longer one is refused before its items are checked, because zod keeps an issue of a kilobyte for
 * each faulty item.
 */
export function list<T extends z.ZodType>(
  item: T,
  { min = 0, max }: { readonly min?: number; readonly max: number },
) {
  const items = z.array(item).max(max);
  return z.preprocess(refuseLonger(max), min === 0 ? items : items.min(min));
}

/** The same for a value that may also be a text. */
export function textOrList<S extends z.ZodType<string, string>, T extends z.ZodType>(
  words: S,
  item: T,
  { min, max }: { readonly min: number; readonly max: number },
) {
  return z.preprocess(refuseLonger(max), z.union([words, z.array(item).min(min).max(max)]));
}

function refuseLonger(max: number) {
  return <V>(value: V, context: z.RefinementCtx): V => {
    if (!Array.isArray(value) || value.length <= max) return value;
    context.addIssue({ code: "too_big", origin: "array", maximum: max, inclusive: true, input: value });
    return z.NEVER;
  };
}

/** An object of at most `max` members with any names and values. A larger one is refused before its members are checked. */
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

/** A vendor's object. Its contents are passed on as they came, neither copied nor checked. */
export const vendorObject = z.looseObject({});

/**
 * Text to a model. It must have words, because many models refuse white space only. Lone surrogates are replaced, because no encoding can
 * carry them.
 */
export const text = z
  .string()
  .min(1)
  .max(wireLimits.textChars)
  .regex(/\S/, "more than white space")
  .overwrite((value) => value.toWellFormed());

/**
 * A name from outside. It has no meaning here, so only its length in characters is limited. It has no control characters, and no lone
 * surrogates, which no encoding can carry.
 */
export function opaqueName(maxChars: number, minChars = 1) {
  const form = new RegExp(`^[^${controls}\\ud800-\\udfff]{${minChars},${maxChars}}$`, "u");
  return z.string().regex(form, `${minChars} to ${maxChars} characters, none of them a control character`);
}

export const requestId = opaqueName(wireLimits.idChars);
/** A request, or the empty string for the place before the first one. */
export const requestIdOrStart = opaqueName(wireLimits.idChars, 0);
export const personaId = opaqueName(wireLimits.idChars);
export const conversationId = opaqueName(wireLimits.idChars);
/** Model names in the forms of vendors and files: `gpt-4o-mini`, `ft:gpt-4o:org::id`, `llama3.2:3b`, `/models/Qwen3 8B.gguf`. */
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

/** An upstream tool; only its type is checked here. */
export const tool = z.looseObject({ type: z.string().min(1).max(64) });

/** An endpoint and a model that answer if the ones before fail. */
export const fallbackLink = z.object({ api: optional(api), model: optional(model) });

/** The endpoint and the model that answer for one persona of a request. */
export const member = z.object({
  persona_id: personaId.describe("One of `persona_ids`."),
  api: optional(api),
  model: optional(model),
});

/** How an answer's text is cut and timed; see PROTOCOL.md, Pacing. */
export const pacing = z.strictObject({
  mode: optional(z.enum(["natural", "fixed", "raw"])).describe("The rhythm."),
  chunk_chars: optional(z.number().int().min(1).max(4096)).describe(
    "Max code points of a chunk. Default 50 for `openai_chat`, 30 for personas.",
  ),
  interval_ms: optional(z.number().min(10).max(10_000)).describe("Time between two chunks. Default 100."),
  max_lag_ms: optional(z.number().min(0).max(60_000)).describe("How late a text may be shown. Default 400."),
});

/** If the server stops during the request, it ends with an error or is answered again. */
export const onInterrupt = z.enum(["error", "restart"]);

/** If the socket drops, the request runs on, stops, or stops after this many milliseconds without a follower. */
export const onDisconnect = z.union([z.enum(["finish", "cancel"]), z.number().int().min(0).max(3_600_000)]);

/** The part that a lane has in an ensemble. A plain member has none. */
export const laneRole = z.enum(["moderator", "judge", "voter", "synthesis"]);
export type LaneRole = z.infer<typeof laneRole>;
