import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerMessages } from "../protocol/server-messages.ts";

/**
 * The client's own codes, besides the server's.
 * - `closed`: the connection was closed for good.
 * - `cancelled`: the request was cancelled before the server knew of it.
 * - `lost`: the connection broke and the request had no id to resume, or the server left out the same part of the answer twice.
 * - `not_retryable`: `retry` of a request that has not ended with a retryable error.
 * - `message_too_big`: the message would end the connection.
 * - `unauthenticated`: the server refused the connection with 401.
 * - `forbidden_origin`: 403, the page's origin is not allowed.
 * - `forbidden_proxy`: 403, through a proxy without keys.
 * - `forbidden`: any other 403.
 */
export type LocalErrorCode =
  | "closed"
  | "cancelled"
  | "lost"
  | "not_retryable"
  | "message_too_big"
  | (typeof connectionRefusals)[number];

/** Codes with which a server refuses every connection of this client. */
export const connectionRefusals = [
  "unauthenticated",
  "forbidden",
  "forbidden_origin",
  "forbidden_proxy",
] as const;

export interface RequestFailure {
  readonly code: ErrorCode | LocalErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  /** The field of the request at fault, as a path, e.g. `data.temperature`. */
  readonly field?: string | undefined;
}

/** The error of a request that ended without a `response`. */
export class TroupeRequestError extends Error {
  override readonly name = "TroupeRequestError";
  readonly code: RequestFailure["code"];
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly field: string | undefined;

  constructor(failure: RequestFailure) {
    super(failure.message);
    this.code = failure.code;
    this.retryable = failure.retryable;
    this.retryAfterMs = failure.retryAfterMs;
    this.field = failure.field;
  }
}

/** The failure in an `error` message. */
export function failureOf(message: ServerMessages["error"]): RequestFailure {
  const { code, retryable, retry_after_ms: retryAfterMs, field } = message;
  return { code, message: message.message, retryable, retryAfterMs, field };
}
