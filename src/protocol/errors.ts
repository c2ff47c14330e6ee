/** One row of the table of error codes: the client's sentence, and whether the same request may work later. */
interface ErrorRow {
  /** The sentence a client reads. The cause goes to the log, never to the wire. */
  readonly message: string;
  /** Whether sending the same request again later can succeed. */
  readonly retryable: boolean;
  /**
   * `frame`: answers a client frame (no `seq`). `turn`: ends a request or a lane. `both`: either. `answer`: stands in a `response`.
   */
  readonly scope: "frame" | "turn" | "both" | "answer";
  /** Milliseconds after which trying again makes sense, unless the error says so itself. */
  readonly retryAfterMs?: number;
}

/** Time in which a running request may end and make room, or the storage may recover, milliseconds. */
const soonMs = 1_000;

/** Every error code of the wire. PROTOCOL.md prints this table. */
export const errorTable = {
  invalid_json: { scope: "frame", retryable: false, message: "The frame is not valid JSON." },
  invalid_message: { scope: "frame", retryable: false, message: "A field of the message is not valid." },
  unknown_type: { scope: "frame", retryable: false, message: "This message type is not known." },
  binary_not_supported: {
    scope: "frame",
    retryable: false,
    message: "Binary frames are not supported; send JSON as text.",
  },
  request_id_conflict: {
    scope: "frame",
    retryable: false,
    message: "A request with this id and other content exists already.",
  },
  request_not_found: { scope: "frame", retryable: false, message: "There is no such request." },
  request_ended: { scope: "frame", retryable: false, message: "This request has ended already." },
  seq_out_of_range: {
    scope: "frame",
    retryable: false,
    message: "This position lies beyond the last event of the request.",
  },
  conversation_not_found: { scope: "both", retryable: false, message: "There is no such conversation." },
  persona_not_found: { scope: "frame", retryable: false, message: "There is no such persona." },
  persona_repeated: { scope: "frame", retryable: false, message: "A persona is named more than once." },
  provider_not_configured: {
    scope: "frame",
    retryable: false,
    message: "No provider is configured for this api.",
  },
  too_many_requests: {
    scope: "frame",
    retryable: true,
    retryAfterMs: soonMs,
    message: "Too many requests are in flight; wait for one to end.",
  },
  request_rate_exceeded: {
    scope: "frame",
    retryable: true,
    message: "This key has asked too often in the last minute.",
  },
  day_budget_spent: {
    scope: "frame",
    retryable: true,
    message: "The budget of the day is used up.",
  },
  larger_than_day_budget: {
    scope: "both",
    retryable: false,
    message: "The request is larger than the budget of a whole day.",
  },
  overloaded: {
    scope: "frame",
    retryable: true,
    retryAfterMs: soonMs,
    message: "The server has no room for another request now.",
  },
  shutting_down: { scope: "frame", retryable: true, message: "The server is shutting down; connect again." },
  upstream_auth: {
    scope: "turn",
    retryable: false,
    message: "The model provider refused the server's credentials.",
  },
  upstream_invalid_request: {
    scope: "turn",
    retryable: false,
    message: "The model provider refused the request's parameters.",
  },
  model_not_found: {
    scope: "turn",
    retryable: false,
    message: "The model provider does not offer this model to this server.",
  },
  context_length_exceeded: {
    scope: "turn",
    retryable: false,
    message: "The text is longer than the model can read.",
  },
  previous_response_not_found: {
    scope: "both",
    retryable: false,
    message: "There is nothing under this id at the model provider.",
  },
  rate_limited: {
    scope: "turn",
    retryable: true,
    message: "The model provider limits the rate; try again later.",
  },
  quota_exceeded: {
    scope: "turn",
    retryable: false,
    message: "The quota or the credit at the model provider is used up.",
  },
  upstream_overloaded: { scope: "turn", retryable: true, message: "The model provider is overloaded." },
  upstream_error: { scope: "turn", retryable: true, message: "The model provider reported a failure." },
  upstream_unreachable: { scope: "turn", retryable: true, message: "The model provider cannot be reached." },
  upstream_timeout: {
    scope: "turn",
    retryable: true,
    message: "The model provider did not begin to answer in time.",
  },
  upstream_stalled: {
    scope: "turn",
    retryable: true,
    message: "The model provider went silent in the middle of the answer.",
  },
  upstream_disconnected: {
    scope: "turn",
    retryable: true,
    message: "The connection to the model provider broke.",
  },
  upstream_truncated: {
    scope: "turn",
    retryable: true,
    message: "The model provider's answer ended before it was complete.",
  },
  upstream_empty: { scope: "turn", retryable: true, message: "The model provider sent an empty answer." },
  upstream_invalid: {
    scope: "turn",
    retryable: true,
    message: "The model provider sent something that is not an answer.",
  },
  invalid_output: {
    scope: "answer",
    retryable: true,
    message: "The answer was not found to fit its schema.",
  },
  answer_too_large: { scope: "turn", retryable: false, message: "The answer outgrew the server's limit." },
  budget_exhausted: {
    scope: "turn",
    retryable: true,
    message: "The rest of a budget does not cover this call of the model.",
  },
  turn_timeout: {
    scope: "turn",
    retryable: true,
    message: "The request took longer than the server allows.",
  },
  all_personas_failed: { scope: "turn", retryable: true, message: "Every persona failed to answer." },
  interrupted: {
    scope: "turn",
    retryable: true,
    message: "The server stopped before the answer was complete.",
  },
  storage_unavailable: {
    scope: "both",
    retryable: true,
    retryAfterMs: soonMs,
    message: "The server cannot store anything now.",
  },
  internal_error: { scope: "both", retryable: true, message: "Something went wrong inside the server." },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface TroupeErrorOptions {
  /**
   * The field at fault, as a path: in a client's frame (`data.temperature`), or inside (`personaIds.0`). A door translates the second
   * kind.
   */
  readonly field?: string;
  /** A short sentence about the fault, without secrets. It follows the table's sentence on the wire. */
  readonly detail?: string;
  /** Milliseconds after which trying again makes sense. Default: the table's, if it has any. */
  readonly retryAfterMs?: number;
  /** Overrides the table. */
  readonly retryable?: boolean;
  /** The failed call certainly produced nothing and can be repeated without the client noticing. */
  readonly safeToRepeat?: boolean;
  /** True if certainly no model has read the failed call, so it costs nothing. Default: its code decides. */
  readonly isUnread?: boolean;
  /** For the log only. */
  readonly cause?: unknown;
}

/** Only V8 has this limit, so not every browser has it. */
const stacks = Error as ErrorConstructor & { stackTraceLimit: number | undefined };

/**
 * The one error class. Only `code`, the table's sentence, `detail`, `field` and the retry hints reach a client.
 *
 * It has no stack: V8 keeps the objects of all calls on an unread stack, so one error would hold the whole request that it ended. The
 * code names the fault. `cause` has a stack, and goes to the log line.
 */
export class TroupeError extends Error {
  override readonly name = "TroupeError";
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retryable: boolean;
  readonly safeToRepeat: boolean;
  readonly isUnread: boolean | undefined;

  constructor(code: ErrorCode, options: TroupeErrorOptions = {}) {
    const { stackTraceLimit } = stacks;
    stacks.stackTraceLimit = 0;
    super(errorTable[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    stacks.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.field = options.field;
    this.detail = options.detail;
    const row: ErrorRow = errorTable[code];
    this.retryAfterMs = options.retryAfterMs ?? row.retryAfterMs;
    this.retryable = options.retryable ?? errorTable[code].retryable;
    this.safeToRepeat = options.safeToRepeat ?? false;
    this.isUnread = options.isUnread;
  }

  /** The same error with one more sentence for the client. */
  withDetail(sentence: string): TroupeError {
    const { code, field, retryAfterMs, retryable, safeToRepeat, isUnread, cause } = this;
    return new TroupeError(code, {
      ...{ retryable, safeToRepeat },
      detail: this.detail === undefined ? sentence : `${this.detail} ${sentence}`,
      ...(field === undefined ? {} : { field }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(isUnread === undefined ? {} : { isUnread }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  /** The error in a form to keep: all that a client may read, without the cause, which holds the request that it interrupted. */
  asData(): TroupeError {
    const { code, field, detail, retryAfterMs, retryable } = this;
    if (this.cause === undefined) return this;
    return new TroupeError(code, {
      retryable,
      ...(field === undefined ? {} : { field }),
      ...(detail === undefined ? {} : { detail }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  /** For a journal: everything that a client may read, under the code, without the cause. */
  toJSON(): object {
    const { code, field, detail, retryAfterMs, retryable } = this;
    return { troupe_error: code, field, detail, retryAfterMs, retryable };
  }

  /** Turns any thrown value into a `TroupeError`: the only function that does. Any other error is masked as `internal_error`. */
  static from(thrown: unknown): TroupeError {
    return thrown instanceof TroupeError ? thrown : new TroupeError("internal_error", { cause: thrown });
  }

  /** The client's text: the table's sentence, then the detail. */
  get publicMessage(): string {
    return this.detail === undefined ? this.message : `${this.message} ${this.detail}`;
  }
}

/** Whether something failed because nothing can be stored now. */
export function isStorageUnavailable(thrown: unknown): thrown is TroupeError {
  return thrown instanceof TroupeError && thrown.code === "storage_unavailable";
}
