import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";
import type { Refusal } from "../identity/refusals.ts";

/** The refusal of a method at an existing address. The answer's `Allow` names the other methods. */
export const methodNotAllowed = {
  status: 405,
  code: "method_not_allowed",
  message: "This address takes other methods; Allow names them.",
} as const satisfies Refusal;

/** A body is longer than its route reads. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";

  constructor(maxBytes: number) {
    super(`A body has at most ${maxBytes} bytes.`);
  }
}

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  invalid_message: 400,
  conversation_not_found: 404,
  request_not_found: 404,
  storage_unavailable: 503,
  overloaded: 503,
};

/** The answer to a client for any thrown value. A value that is not one of our refusals is masked as `internal_error`, status 500. */
export function refusalOf(thrown: unknown): {
  readonly status: ContentfulStatusCode;
  readonly body: { readonly code: string; readonly message: string; readonly field?: string };
  readonly retryAfterMs?: number | undefined;
} {
  if (thrown instanceof BodyTooLargeError)
    return { status: 413, body: { code: "body_too_large", message: thrown.message } };
  const { code, publicMessage: message, field, retryAfterMs } = TroupeError.from(thrown);
  return {
    status: statuses[code] ?? 500,
    retryAfterMs,
    body: { code, message, ...(field === undefined ? {} : { field }) },
  };
}
