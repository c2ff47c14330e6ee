import { z } from "zod";
import { wireLimits } from "./limits.ts";

/** An optional field that may also be sent as `null`, as many clients write what they leave out. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/** Text to a model: at least one character; lone surrogates are replaced, since no encoding can carry them. */
export const text = z
  .string()
  .min(1)
  .max(wireLimits.textChars)
  .overwrite((value) => value.toWellFormed());

export const requestId = z.string().regex(/^[A-Za-z0-9_.:-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : -");
export const personaId = z.string().regex(/^[A-Za-z0-9_.:-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : -");
export const conversationId = z.string().regex(/^[A-Za-z0-9_.:-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : -");
/** Model names as vendors write them: `gpt-4o-mini`, `ft:gpt-4o:org::id`, `llama3.2:3b`, `org/model@version`. */
export const model = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,255}$/, "a model name");
export const api = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, "a short lower-case name, not an address");
export const temperature = z.number().min(0).max(2);
export const tokenLimit = z.number().int().min(1).max(1_000_000);
/** Tokens of a whole request: input and output of all its lanes. */
export const tokenBudget = z.number().int().min(1).max(1_000_000_000);
export const responseId = z.string().regex(/^[A-Za-z0-9_.:-]{1,256}$/, "an id of a response");

/** An upstream tool; everything but its type is the vendor's business. */
export const tool = z.looseObject({ type: z.string().min(1).max(64) });

/** How an answer's text is cut and timed; see PROTOCOL.md, Pacing. */
export const pacing = z.strictObject({
  mode: optional(z.enum(["natural", "fixed", "raw"])),
  chunk_chars: optional(z.number().int().min(1).max(4096)),
  interval_ms: optional(z.number().min(10).max(10_000)),
  max_lag_ms: optional(z.number().min(0).max(60_000)),
});

/** What a server that ends in the middle of the request means for it: it ends with an error, or is answered anew. */
export const onInterrupt = z.enum(["error", "restart"]);

/** What a dropped socket means for the request: run on, stop, or stop after so many milliseconds without a follower. */
export const onDisconnect = z.union([z.enum(["finish", "cancel"]), z.number().int().min(0).max(3_600_000)]);
