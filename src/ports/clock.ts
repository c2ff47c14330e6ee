/**
 * Time, waiting and fresh ids, passed as one argument so that no code reads a global and no test sleeps for real.
 *
 * Contract:
 * - `now` never goes backwards (monotonic, in milliseconds, fractions allowed). Only differences mean something;
 * - `sleep` settles no earlier than `ms` later, or at once when the signal aborts, and never rejects. The caller looks at its own signal
 *   to tell the two apart. An aborted sleep leaves no timer running;
 * - `callAfter` calls back once, `ms` later or up to a millisecond sooner, because system timers are no more exact. Calling the returned
 *   function before then prevents it. It is cheap enough for a wait that usually ends early;
 * - `wallTimeMs` is the wall clock (whole milliseconds since 1970), for display and storage only, never for ordering or limits;
 * - `newId` returns an unguessable id of at least 122 random bits, made of characters that request ids may contain.
 */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  callAfter(ms: number, callback: () => void): () => void;
  wallTimeMs(): number;
  newId(): string;
}
