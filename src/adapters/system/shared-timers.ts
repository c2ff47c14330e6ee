/** Longer waits end early more often than not, and hardly ever at the same moment. */
const mostSharedMs = 1_000;
/** What passes between two looks at the clock, so that who waits for a whole millisecond is with those who looked at it just before. */
const roundingMs = 0.05;

/** What is to be called at one millisecond. */
interface Moment {
  readonly atMs: number;
  readonly calls: (() => void)[];
  next: number;
}

const moments = new Map<number, Moment>();

/**
 * `Clock.callAfter` where many wait for the same moment, as answers do whose rhythm lies on the same beats: one timer for all of them,
 * and between their calls nothing else. Its timer stays until the moment, also where all calls were called off.
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
    // Fractions would be cut off.
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
    // Where one throws, the others are called nevertheless.
    if (moment.next < calls.length) setImmediate(ring, moment);
  }
}

function nothing(): void {
  // Called off.
}
