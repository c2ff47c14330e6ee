import { hash } from "node:crypto";
import type { Clock } from "../../ports/clock.ts";

/** The real clock: monotonic for measuring, wall time only for display. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTimeMs: () => Date.now(),
  // Node joins an id from 15 strings, and each lives as long as the id. The lower case, which it has already, is a string of its own.
  newId: () => crypto.randomUUID().toLowerCase(),
  callAfter: callTogether,
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", settle);
        resolve();
      };
      const timer = setTimeout(settle, ms);
      signal?.addEventListener("abort", settle, { once: true });
    });
  },
};

/** Longer waits get their own timers: most are cancelled, and they hardly ever share a moment. */
const maxSharedMs = 1_000;
/** The time between two readings of the clock: a wait of a whole millisecond shares a timer with waits that started just before. */
const roundingMs = 0.05;

/** The calls that are due at one millisecond. */
interface Moment {
  readonly atMs: number;
  readonly calls: (() => void)[];
  next: number;
}

const moments = new Map<number, Moment>();

/**
 * `Clock.callAfter` for many waits that end at the same moment, as those of answers on the same beats do. One timer makes all their calls,
 * and nothing else runs between these. The timer stays until the moment, even if all its calls were cancelled.
 */
function callTogether(ms: number, callback: () => void): () => void {
  if (ms > maxSharedMs) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  }
  const atMs = Math.ceil(performance.now() + ms - roundingMs);
  let moment = moments.get(atMs);
  if (moment === undefined) {
    moment = { atMs, calls: [], next: 0 };
    moments.set(atMs, moment);
    // `setTimeout` cuts fractions off.
    setTimeout(ring, Math.ceil(ms), moment);
  }
  const { calls } = moment;
  const index = calls.push(callback) - 1;
  return () => {
    calls[index] = nothing;
  };
}

function ring(moment: Moment): void {
  moments.delete(moment.atMs);
  const { calls } = moment;
  try {
    while (moment.next < calls.length) {
      moment.next += 1;
      calls[moment.next - 1]?.();
    }
  } finally {
    // If one throws, the others are called nevertheless.
    if (moment.next < calls.length) setImmediate(ring, moment);
  }
}

function nothing(): void {
  // Cancelled.
}

/**
 * Calls back after the event loop has read all that has arrived on its sockets; the returned function cancels the call. A timer that is
 * late, because the process stood still or was busy, fires before anything is read and would decide wrongly.
 */
export function callAfterReading(callback: () => void): () => void {
  const turn = setImmediate(callback);
  return () => clearImmediate(turn);
}

/** SHA-256 of a text in UTF-8, in hexadecimal. Synchronous, because handing a short text to another thread costs ten times as much. */
export function sha256(text: string): string {
  return hash("sha256", text);
}
