import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type ErrorCode, TroupeError } from "../../protocol/errors.ts";

/** A refusal to look at a request at all, as an HTTP status. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  /** When it makes sense to come back. */
  readonly retryAfterMs?: number;
}

/** A body that is longer than the route reads. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";

  constructor(mostBytes: number) {
    super(`A body has at most ${mostBytes} bytes.`);
  }
}

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  invalid_message: 400,
  conversation_not_found: 404,
  request_not_found: 404,
  storage_unavailable: 503,
};

/** What an HTTP client reads of anything thrown; what is not one of our refusals is masked as `internal_error`, status 500. */
export function refusalOf(thrown: unknown): {
  readonly status: ContentfulStatusCode;
  readonly body: { readonly code: string; readonly message: string; readonly field?: string };
} {
  if (thrown instanceof BodyTooLargeError)
    return { status: 413, body: { code: "body_too_large", message: thrown.message } };
  const { code, publicMessage: message, field } = TroupeError.from(thrown);
  return {
    status: statuses[code] ?? 500,
    body: { code, message, ...(field === undefined ? {} : { field }) },
  };
}
