import type { Clock } from "../../ports/clock.ts";
import { callTogether } from "./shared-timers.ts";

/** The real clock: monotonic for measuring, wall time only for display. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTimeMs: () => Date.now(),
  newId: () => crypto.randomUUID(),
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
