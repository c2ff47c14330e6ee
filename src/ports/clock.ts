/**
 * Time, waiting and fresh ids, as one argument, so that no code reads a global and no test sleeps for real.
 *
 * Contract:
 * - `now` never goes backwards (monotonic, in milliseconds, fractions allowed); differences are meaningful, the absolute value is not.
 * - `sleep` settles no earlier than `ms` later; it settles at once when the signal is or becomes aborted and never rejects,
 *   so that the caller looks at its own signal to tell the two apart. An aborted sleep leaves no timer behind.
 * - `callAfter` calls back once, `ms` later or up to a millisecond sooner, which is what timers of systems are exact to, unless the
 *   function that it returns was called before; it is what is cheap enough for a wait that most often ends early.
 * - `wallTimeMs` is the wall clock (whole milliseconds since 1970), for display and storage only, never for ordering or limits.
 * - `newId` returns an unguessable id of at least 122 random bits, of the characters that request ids allow.
 */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  callAfter(ms: number, callback: () => void): () => void;
  wallTimeMs(): number;
  newId(): string;
}
