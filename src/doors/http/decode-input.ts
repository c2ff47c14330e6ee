import type { z } from "zod";
import { surveyJson, whyTooLarge } from "../../protocol/decode.ts";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import { faultIn, inPlainWords } from "../../protocol/fault-in.ts";
import { BodyTooLargeError } from "./refusal-of.ts";

/**
 * Reads a part of a request by its schema. Throws `invalid_message` with the field at fault, or `whole` if the whole part is. The detail
 * quotes nothing that the client sent.
 */
export function decodeInput<T extends z.ZodType>(schema: T, value: unknown, whole: string): z.output<T> {
  const parsed = schema.safeParse(value, { error: inPlainWords });
  if (parsed.success) return parsed.data;
  const fault = faultIn(parsed.error);
  const hasUnknown = "holder" in fault;
  const field = (hasUnknown ? fault.holder : fault.field) ?? whole;
  throw new TroupeError("invalid_message", {
    field,
    detail: hasUnknown ? `${field} has a field that is not known here.` : `${field} ${fault.detail}.`,
  });
}

/** Reads an id from a URL. A malformed id gets the same answer as an unknown one. */
export function decodeId(schema: z.ZodType<string>, value: string | undefined, notFound: ErrorCode): string {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TroupeError(notFound);
}

/** Max body of any route, bytes. */
const maxBodyBytes = 64 * 1024;

/**
 * Reads a request's body as JSON; `undefined` if it is not JSON. Throws `BodyTooLargeError` as soon as the body is too long, no matter
 * which length was announced. Throws `invalid_message` if it is nested too deeply or has too many values. (Hono's own limit makes a new
 * `Request`, for which the global one must be replaced, and that belongs to the embedder.)
 */
export async function readJson(request: Request): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes)
    throw new BodyTooLargeError(maxBodyBytes);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request.body ?? []) {
    bytes += piece.length;
    if (bytes > maxBodyBytes) throw new BodyTooLargeError(maxBodyBytes);
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString();
  const tooLarge = whyTooLarge(surveyJson(text));
  if (tooLarge !== undefined) throw new TroupeError("invalid_message", { field: "body", detail: tooLarge });
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
