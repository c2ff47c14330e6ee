import type { Clock } from "../ports/clock.ts";
import type { DayNumber } from "../ports/usage-store.ts";

const dayMs = 24 * 3_600_000;
/** A second renewal by a clock that runs ahead comes no sooner than this, by the monotonic clock. */
const leastBetweenMs = 20 * 3_600_000;

/** The UTC day of a wall clock. */
export function dayOf(wallTimeMs: number): DayNumber {
  return Math.floor(wallTimeMs / dayMs);
}

/** The day whose budget is being spent. */
export interface BudgetDay {
  /** Begins the next day first, where it is time. */
  current(): DayNumber;
  /** Milliseconds to the next day, as far as the wall clock can be believed. */
  msToNext(): number;
}

/**
 * The UTC day by the wall clock, but a wall clock that is set back and forth does not begin days with it: a day begins when
 * the clock shows a later one than before, and again only when most of a day has really passed since; after a clock was set
 * back, when a whole day has. `onNext` hears of each beginning, before anyone sees the new day.
 */
export function createBudgetDay(clock: Clock, onNext: () => void): BudgetDay {
  let day = dayOf(clock.wallTimeMs());
  let begunAtMs = clock.now();
  let isFirst = true;

  function isNext(today: DayNumber): boolean {
    const passedMs = clock.now() - begunAtMs;
    if (today > day) return isFirst || passedMs >= leastBetweenMs;
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
