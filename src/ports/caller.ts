/** The limits of one key. An absent limit has the server's default. */
export interface CallerLimits {
  /** Sockets open at the same time. */
  readonly connections?: number;
  readonly requestsPerMinute?: number;
  /** Turns running at the same time. */
  readonly requestsInFlight?: number;
  /** Input and output tokens of all turns in a day. */
  readonly tokensPerDay?: number;
}

/** A group of callers whose use is also counted together: all of one address, or all without a key. */
interface CallerGroup {
  readonly id: string;
  /** The start of a sentence about its limits, such as `This address`. */
  readonly name: string;
  /** For all of its callers together. An absent value means no limit. */
  readonly limits: CallerLimits;
}

/** The author of a request and the key used. An owner may have several keys, each with its own limits. */
export interface Caller {
  /** Data stored under this name belongs to the caller. */
  readonly owner: string;
  /** Identifies the key, also after a restart, without revealing it. */
  readonly keyId: string;
  readonly limits: CallerLimits;
  /** Groups whose limits apply as well as the caller's own, the smallest group first. Default: none. */
  readonly groups?: readonly CallerGroup[];
}
