const firstDelayMs = 100;
/** Short, so that clients hear of an interrupted answer within seconds even when no worker is left. */
const longestDelayMs = 2_000;

/** The wait before a worker is restarted, from the number of times in a row that it ended without having served for a while. */
export function restartDelayMs(endsInARow: number): number {
  return Math.min(firstDelayMs * 2 ** (endsInARow - 1), longestDelayMs);
}
