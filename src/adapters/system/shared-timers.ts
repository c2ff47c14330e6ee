/** Longer waits get their own timers: most are cancelled, and they hardly ever share a moment. */
const mostSharedMs = 1_000;
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
export function callTogether(ms: number, callback: () => void): () => void {
  if (ms > mostSharedMs) {
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
