/** What one key may use at most; what is absent has the server's default. */
export interface CallerLimits {
  /** Sockets that are open at the same time. */
  readonly connections?: number;
  readonly requestsPerMinute?: number;
  /** Turns that run at the same time. */
  readonly requestsInFlight?: number;
  /** Input and output tokens of all turns of a day. */
  readonly tokensPerDay?: number;
}

/** Several callers whose use is counted together as well: those of one address, or all without a key. */
export interface CallerGroup {
  readonly id: string;
  /** Begins a sentence about its limits, as `This address`. */
  readonly name: string;
  /** For all of its callers together; what is absent has no limit. */
  readonly limits: CallerLimits;
}

/** Who asks, and with which key: an owner may have several, and each has limits of its own. */
export interface Caller {
  /** What is kept under this name is theirs. */
  readonly owner: string;
  /** Names the key, also after a restart, and tells nothing of it. */
  readonly keyId: string;
  readonly limits: CallerLimits;
  /** Whose limits hold beside the caller's own, the narrowest first. Default: none. */
  readonly groups?: readonly CallerGroup[];
}
