/** A refusal to process a request: an HTTP status, a code for programs, and a sentence for people. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 405 | 421 | 429;
  readonly code: string;
  /** Says which part was refused and which setting allows it. Repeats nothing that the client sent. */
  readonly message: string;
  /** Time after which another try makes sense, milliseconds. */
  readonly retryAfterMs?: number;
}

/** The refusals that are the same for everyone. */
export const refusals = {
  badHost: {
    status: 400,
    code: "bad_host",
    message: "A request needs one Host header with a valid name.",
  },
  unservedHost: {
    status: 421,
    code: "unserved_host",
    message: "This server is not served under the name in Host; TROUPE_ALLOWED_HOSTS adds names.",
  },
  proxied: {
    status: 403,
    code: "forbidden_proxy",
    message:
      "The request came through a proxy or from another machine, and without keys everyone is the same caller here; set TROUPE_API_KEYS or TROUPE_ADMIN_KEY, or TROUPE_ALLOW_ANONYMOUS=true.",
  },
  needsKey: {
    status: 401,
    code: "unauthenticated",
    message:
      "A valid key is needed, as Authorization: Bearer <key>; TROUPE_API_KEYS lists keys, and the holder of TROUPE_ADMIN_KEY gives them out.",
  },
  needsLogin: {
    status: 401,
    code: "unauthenticated",
    message: "Log in to the application that this server is a part of.",
  },
  badTicket: {
    status: 401,
    code: "unauthenticated",
    message: "A ticket opens one socket within 30 seconds; POST /api/tickets gives another.",
  },
  badSecret: {
    status: 401,
    code: "unauthenticated",
    message: "The secret of a caller without a key has 16 to 128 characters.",
  },
} as const satisfies Record<string, Refusal>;

/** The refusal of a page by its origin. */
export function forbiddenOrigin(origin: string | undefined): Refusal {
  return {
    status: 403,
    code: "forbidden_origin",
    message:
      origin === "null"
        ? "A page with the origin null needs a key, or the token of the page that the server writes into its data folder."
        : "Pages of this origin may not use the server; TROUPE_ALLOWED_ORIGINS adds origins.",
  };
}

/** The refusal of an address from which too many wrong credentials came. */
export function tooManyAttempts(retryAfterMs: number): Refusal {
  return {
    status: 429,
    code: "too_many_attempts",
    message:
      "Too many wrong keys or tickets came from this address; if it is a proxy's, TROUPE_TRUSTED_PROXIES tells its visitors apart.",
    retryAfterMs,
  };
}
