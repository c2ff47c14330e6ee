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

/** Who asks, and with which key: an owner may have several, and each has limits of its own. */
export interface Caller {
  /** What is kept under this name is theirs. */
  readonly owner: string;
  /** Names the key, also after a restart, and tells nothing of it. */
  readonly keyId: string;
  readonly limits: CallerLimits;
}
