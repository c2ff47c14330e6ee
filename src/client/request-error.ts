import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerMessages } from "../protocol/server-messages.ts";

/**
 * Reasons of this side's own, beside the server's: `closed` (the connection was closed for good), `cancelled` (before the server
 * knew of the request), `lost` (the connection broke and the request had no id to resume, or the server left out what was asked
 * for again), `not_retryable` (`retry` of a request that has not ended with a retryable error), `message_too_big` (it would end the connection); and why the server let no connection in: `unauthenticated` (401),
 * `forbidden_origin` (403, a page of an origin that is not allowed), `forbidden_proxy` (403, through a proxy without keys), `forbidden`
 * (403 of another kind).
 */
export type LocalErrorCode =
  | "closed"
  | "cancelled"
  | "lost"
  | "not_retryable"
  | "message_too_big"
  | (typeof connectionRefusals)[number];

/** Codes of a server that lets no connection of this client in. */
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

/** How a request ended that got no `response`. */
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

/** The failure that an `error` message tells of. */
export function failureOf(message: ServerMessages["error"]): RequestFailure {
  const { code, retryable, retry_after_ms: retryAfterMs, field } = message;
  return { code, message: message.message, retryable, retryAfterMs, field };
}
