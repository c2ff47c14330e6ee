import type { Clock } from "../../ports/clock.ts";
import type { DayNumber } from "../../ports/usage-store.ts";

/** The day whose budget is being spent. */
export interface BudgetDay {
  /** First starts the next day if it is time. */
  current(): DayNumber;
  /** Milliseconds to the next day, as far as the wall clock can be trusted. */
  msToNext(): number;
}

const dayMs = 24 * 3_600_000;
/** A clock that runs fast starts a second new day no sooner than this, measured by the monotonic clock. */
const minBetweenMs = 20 * 3_600_000;

/** The UTC day of a wall clock. */
export function dayOf(wallTimeMs: number): DayNumber {
  return Math.floor(wallTimeMs / dayMs);
}

/**
 * The UTC day of the wall clock, protected against a clock that is set back and forth. The first new day starts when the clock shows a
 * later day. Each further one also needs most of a day (20 h) to have really passed, or a whole day if the clock was set back. `onNext`
 * is called at each new day, before any caller sees it.
 */
export function createBudgetDay(clock: Clock, onNext: () => void): BudgetDay {
  let day = dayOf(clock.wallTimeMs());
  let begunAtMs = clock.now();
  let isFirst = true;

  function isNext(today: DayNumber): boolean {
    const passedMs = clock.now() - begunAtMs;
    if (today > day) return isFirst || passedMs >= minBetweenMs;
    return today < day && passedMs >= dayMs;
  }

  return {
    current() {
      const today = dayOf(clock.wallTimeMs());
      if (isNext(today)) {
        day = today;
        begunAtMs = clock.now();
        isFirst = false;
        onNext();
      }
      return day;
    },
    msToNext: () => Math.min(dayMs, Math.max(1_000, (day + 1) * dayMs - clock.wallTimeMs())),
  };
}
